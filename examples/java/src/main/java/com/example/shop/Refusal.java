package com.example.shop;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.Durations;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.time.Instant;
import java.util.function.Supplier;

/** What a refusal says, of a call or of one item of a batch, and how to try again. */
final class Refusal {
  private Refusal() {}

  /** The status that a call failed with, details included. */
  static Status of(StatusRuntimeException error) {
    return StatusProto.fromThrowable(error);
  }

  /** Prints a refusal: its code and words, the fields that are wrong, and when to try again. */
  static void tell(Status refusal) throws InvalidProtocolBufferException {
    System.out.printf(
        "  %s: %s%n", io.grpc.Status.fromCodeValue(refusal.getCode()).getCode(), refusal.getMessage());
    for (Any detail : refusal.getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        System.out.printf("    reason: %s%n", detail.unpack(ErrorInfo.class).getReason());
      } else if (detail.is(BadRequest.class)) {
        for (var violation : detail.unpack(BadRequest.class).getFieldViolationsList()) {
          System.out.printf("    field %s: %s%n", violation.getField(), violation.getDescription());
        }
      } else if (detail.is(RetryInfo.class)) {
        var delay = detail.unpack(RetryInfo.class).getRetryDelay();
        System.out.printf("    try again after: %d ms%n", Durations.toMillis(delay));
      }
    }
  }

  /** Calls again when the server says after what time, for at most `patience`. */
  static <Reply> Reply patiently(Duration patience, Supplier<Reply> call)
      throws InterruptedException, InvalidProtocolBufferException {
    Instant end = Instant.now().plus(patience);
    while (true) {
      try {
        return call.get();
      } catch (StatusRuntimeException error) {
        RetryInfo retry = retryInfo(of(error));
        if (retry == null || Instant.now().isAfter(end)) {
          throw error;
        }
        // Rounded up: a moment too early is refused again.
        Thread.sleep(Durations.toMillis(retry.getRetryDelay()) + 1);
      }
    }
  }

  /** What it says of trying again; null where it says nothing. */
  private static RetryInfo retryInfo(Status refusal) throws InvalidProtocolBufferException {
    for (Any detail : refusal.getDetailsList()) {
      if (detail.is(RetryInfo.class)) {
        return detail.unpack(RetryInfo.class);
      }
    }
    return null;
  }
}
