// Vitrine's public API from Go: a search, a streamed upsert, an event, and what refusals say.
//
// ADDRESS is the gateway's gRPC address, API_KEY the key to show (unset: none), CA the PEM file of the authority of
// its certificate (unset: no TLS).
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	vitrine "example.com/shop/gen/vitrine/v1"
)

const visitor = "example-go"

func main() {
	log.SetFlags(0)
	connection, err := connect()
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	catalogue := vitrine.NewCatalogServiceClient(connection)
	searches := vitrine.NewSearchServiceClient(connection)
	found, err := search(searches)
	if err != nil {
		log.Fatal("search: ", err)
	}
	ids, err := upsert(catalogue)
	if err != nil {
		log.Fatal("upsert: ", err)
	}
	if err := view(vitrine.NewUserEventServiceClient(connection), found); err != nil {
		log.Fatal("event: ", err)
	}
	if err := askWrongly(searches); err != nil {
		log.Fatal("refusal: ", err)
	}
	if err := askTooOften(catalogue, ids[0]); err != nil {
		log.Fatal("rate: ", err)
	}
	if err := tidy(catalogue, ids); err != nil {
		log.Fatal("delete: ", err)
	}
}

// connect opens a channel that shows the API key in every call.
func connect() (*grpc.ClientConn, error) {
	address := os.Getenv("ADDRESS")
	if address == "" {
		address = "127.0.0.1:50051"
	}
	transport := insecure.NewCredentials()
	if ca := os.Getenv("CA"); ca != "" {
		var err error
		if transport, err = credentials.NewClientTLSFromFile(ca, ""); err != nil {
			return nil, err
		}
	}
	withKey := func(ctx context.Context) context.Context {
		if key := os.Getenv("API_KEY"); key != "" {
			return metadata.AppendToOutgoingContext(ctx, "x-api-key", key)
		}
		return ctx
	}
	return grpc.NewClient(address,
		grpc.WithTransportCredentials(transport),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, request, reply any,
			connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
			return invoke(withKey(ctx), method, request, reply, connection, options...)
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, description *grpc.StreamDesc,
			connection *grpc.ClientConn, method string, open grpc.Streamer,
			options ...grpc.CallOption) (grpc.ClientStream, error) {
			return open(withKey(ctx), description, connection, method, options...)
		}))
}

// search asks within 5 s. The deadline travels with the call: the gateway drops the work when it is over.
func search(searches vitrine.SearchServiceClient) (*vitrine.SearchResponse, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	found, err := searches.Search(ctx, &vitrine.SearchRequest{
		Query:     "智能手表",
		PageSize:  3,
		VisitorId: visitor,
		Filter:    &vitrine.ProductFilter{Expression: "price < 2000 AND availability = in_stock"},
	})
	if err != nil {
		return nil, err
	}
	fmt.Printf("search: %d of %d\n", len(found.Results), found.GetTotalSize())
	for _, result := range found.Results {
		product := result.Product
		fmt.Printf("  %d. %s (%s, %.2f %s, p %.3f)\n", result.Position, product.Title, product.Id,
			product.GetPrice(), product.CurrencyCode, result.GetRankProbability())
	}
	for _, part := range found.Degradations {
		fmt.Println("  without:", part)
	}
	return found, nil
}

// upsert sends three requests of two products on one stream and reads the answers beside it, so that neither side
// waits for the other. The last product has no title: it alone is refused.
func upsert(catalogue vitrine.CatalogServiceClient) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	stream, err := catalogue.UpsertProducts(ctx)
	if err != nil {
		return nil, err
	}
	go func() {
		// A stream that fails meanwhile tells Recv why.
		for start := 1; start <= 5; start += 2 {
			request := &vitrine.CatalogServiceUpsertProductsRequest{
				Products: []*vitrine.Product{product(start), product(start + 1)},
			}
			if start == 5 {
				request.Products[1].Title = ""
			}
			if stream.Send(request) != nil {
				return
			}
		}
		stream.CloseSend()
	}()
	var written []string
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return written, nil
		}
		if err != nil {
			return nil, err
		}
		fmt.Printf("upsert: %d products, revision %d\n", len(answer.Outcomes), answer.Revision)
		for _, outcome := range answer.Outcomes {
			if outcome.Status.GetCode() == int32(codes.OK) {
				written = append(written, outcome.Id)
			} else {
				tell(status.FromProto(outcome.Status))
			}
		}
	}
}

func product(number int) *vitrine.Product {
	return &vitrine.Product{
		Id:           fmt.Sprintf("example-go-%d", number),
		Title:        fmt.Sprintf("Trail running shoes, model %d", number),
		Brand:        "Norvik",
		Categories:   []string{"Shoes > Running shoes"},
		Price:        proto.Float64(79.5 + float64(number)),
		CurrencyCode: "EUR",
		Attributes:   map[string]*vitrine.AttributeValues{"color": {Text: []string{"red"}}},
	}
}

// view says that the visitor opened the first result; the attribution token tells which answer led there.
func view(events vitrine.UserEventServiceClient, found *vitrine.SearchResponse) error {
	if len(found.Results) == 0 {
		return errors.New("the search found nothing to look at")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	written, err := events.WriteUserEvents(ctx, &vitrine.WriteUserEventsRequest{Events: []*vitrine.UserEvent{{
		// Made once: the same event may be sent again and is written once.
		EventId:          rand.Text(),
		EventType:        vitrine.EventType_EVENT_TYPE_VIEW_ITEM,
		VisitorId:        visitor,
		AttributionToken: found.AttributionToken,
		Products:         []*vitrine.EventProduct{{ProductId: found.Results[0].Product.Id, Position: 1}},
	}}})
	if err != nil {
		return err
	}
	for _, outcome := range written.Outcomes {
		if outcome.Status.GetCode() != int32(codes.OK) {
			return status.ErrorProto(outcome.Status)
		}
	}
	fmt.Printf("event: %d written, %d of them known already\n", len(written.Outcomes), written.Duplicates)
	return nil
}

// askWrongly shows what a bad filter is answered with.
func askWrongly(searches vitrine.SearchServiceClient) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := searches.Search(ctx, &vitrine.SearchRequest{
		Query:  "shoes",
		Filter: &vitrine.ProductFilter{Expression: "colour = red"},
	})
	if status.Code(err) != codes.InvalidArgument {
		return fmt.Errorf("a bad filter was answered with %v", err)
	}
	tell(status.Convert(err))
	return nil
}

// askTooOften makes 60 calls at once; where the key has a rate, some are refused with the time to wait.
func askTooOften(catalogue vitrine.CatalogServiceClient, id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	read := func() error {
		_, err := catalogue.GetProduct(ctx, &vitrine.GetProductRequest{Id: id})
		return err
	}
	errs := make([]error, 60)
	var calls sync.WaitGroup
	for index := range errs {
		calls.Go(func() { errs[index] = read() })
	}
	calls.Wait()
	var refusal *status.Status
	refused := 0
	for _, err := range errs {
		switch status.Code(err) {
		case codes.OK:
		case codes.ResourceExhausted:
			refused++
			refusal = status.Convert(err)
		default:
			return err
		}
	}
	fmt.Printf("rate: %d of %d calls refused\n", refused, len(errs))
	if refusal == nil {
		return nil
	}
	tell(refusal)
	if err := patiently(ctx, read); err != nil {
		return err
	}
	fmt.Println("  answered after waiting")
	return nil
}

// tidy takes out what upsert wrote.
func tidy(catalogue vitrine.CatalogServiceClient, ids []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var gone *vitrine.CatalogServiceDeleteProductsResponse
	err := patiently(ctx, func() (err error) {
		gone, err = catalogue.DeleteProducts(ctx, &vitrine.CatalogServiceDeleteProductsRequest{Ids: ids})
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("delete: %d products, revision %d\n", len(gone.Outcomes), gone.Revision)
	return nil
}
