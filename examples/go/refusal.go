package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
)

// tell prints a refusal: its code and words, the fields that are wrong, and when to try again.
func tell(refusal *status.Status) {
	fmt.Printf("  %v: %s\n", refusal.Code(), refusal.Message())
	for _, detail := range refusal.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			fmt.Println("    reason:", detail.Reason)
		case *errdetails.BadRequest:
			for _, violation := range detail.FieldViolations {
				fmt.Printf("    field %s: %s\n", violation.Field, violation.Description)
			}
		case *errdetails.RetryInfo:
			fmt.Println("    try again after:", detail.RetryDelay.AsDuration())
		}
	}
}

// patiently calls again when the server says after what time, as often as ctx leaves time for.
func patiently(ctx context.Context, call func() error) error {
	for {
		err := call()
		delay := retryDelay(status.Convert(err))
		if err == nil || delay == 0 {
			return err
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return err
		}
	}
}

// retryDelay is how long the server asks to wait; 0 where it does not ask.
func retryDelay(refusal *status.Status) time.Duration {
	for _, detail := range refusal.Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			return retry.RetryDelay.AsDuration()
		}
	}
	return 0
}
