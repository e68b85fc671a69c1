package com.example.shop;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.Code;
import com.google.rpc.Status;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.File;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import vitrine.v1.AttributeValues;
import vitrine.v1.CatalogServiceDeleteProductsRequest;
import vitrine.v1.CatalogServiceGrpc;
import vitrine.v1.CatalogServiceUpsertProductsRequest;
import vitrine.v1.CatalogServiceUpsertProductsResponse;
import vitrine.v1.EventProduct;
import vitrine.v1.EventType;
import vitrine.v1.GetProductRequest;
import vitrine.v1.ItemOutcome;
import vitrine.v1.Product;
import vitrine.v1.ProductFilter;
import vitrine.v1.SearchRequest;
import vitrine.v1.SearchResponse;
import vitrine.v1.SearchServiceGrpc;
import vitrine.v1.UserEvent;
import vitrine.v1.UserEventServiceGrpc;
import vitrine.v1.WriteUserEventsRequest;

/**
 * Vitrine's public API from Java: a search, a streamed upsert, an event, and what refusals say.
 *
 * <p>ADDRESS is the gateway's gRPC address, API_KEY the key to show (unset: none), CA the PEM file of the authority of
 * its certificate (unset: no TLS).
 */
public final class Shop {
  private static final String VISITOR = "example-java";

  private final Channel channel;

  private Shop(Channel channel) {
    this.channel = channel;
  }

  public static void main(String[] arguments) throws Exception {
    ManagedChannel connection = connect();
    try {
      Shop shop = new Shop(ClientInterceptors.intercept(connection, showKey()));
      SearchResponse found = shop.search();
      List<String> ids = shop.upsert();
      shop.view(found);
      shop.askWrongly();
      shop.askTooOften(ids.get(0));
      shop.tidy(ids);
    } finally {
      connection.shutdown().awaitTermination(5, TimeUnit.SECONDS);
    }
  }

  private static ManagedChannel connect() throws IOException {
    String ca = System.getenv("CA");
    ChannelCredentials credentials =
        ca == null
            ? InsecureChannelCredentials.create()
            : TlsChannelCredentials.newBuilder().trustManager(new File(ca)).build();
    return Grpc.newChannelBuilder(System.getenv().getOrDefault("ADDRESS", "127.0.0.1:50051"), credentials).build();
  }

  /** Shows the API key in every call. */
  private static ClientInterceptor showKey() {
    Metadata headers = new Metadata();
    String key = System.getenv("API_KEY");
    if (key != null) {
      headers.put(Metadata.Key.of("x-api-key", Metadata.ASCII_STRING_MARSHALLER), key);
    }
    return MetadataUtils.newAttachHeadersInterceptor(headers);
  }

  /** Asks within 5 s. The deadline travels with the call: the gateway drops the work when it is over. */
  private SearchResponse search() {
    SearchResponse found =
        searches(5)
            .search(
                SearchRequest.newBuilder()
                    .setQuery("智能手表")
                    .setPageSize(3)
                    .setVisitorId(VISITOR)
                    .setFilter(filter("price < 2000 AND availability = in_stock"))
                    .build());
    System.out.printf("search: %d of %d%n", found.getResultsCount(), found.getTotalSize());
    for (var result : found.getResultsList()) {
      Product product = result.getProduct();
      System.out.printf(
          Locale.ROOT,
          "  %d. %s (%s, %.2f %s, p %.3f)%n",
          result.getPosition(),
          product.getTitle(),
          product.getId(),
          product.getPrice(),
          product.getCurrencyCode(),
          result.getRankProbability());
    }
    for (var part : found.getDegradationsList()) {
      System.out.printf("  without: %s%n", part);
    }
    return found;
  }

  /**
   * Sends three requests of two products on one stream and hears the answers beside it. The last product has no title:
   * it alone is refused.
   */
  private List<String> upsert() throws InterruptedException, ExecutionException, InvalidProtocolBufferException {
    var answers = new ArrayList<CatalogServiceUpsertProductsResponse>();
    var done = new CompletableFuture<Void>();
    StreamObserver<CatalogServiceUpsertProductsRequest> stream =
        CatalogServiceGrpc.newStub(channel)
            .withDeadlineAfter(30, TimeUnit.SECONDS)
            .upsertProducts(
                new StreamObserver<>() {
                  @Override
                  public void onNext(CatalogServiceUpsertProductsResponse answer) {
                    answers.add(answer);
                  }

                  @Override
                  public void onError(Throwable error) {
                    done.completeExceptionally(error);
                  }

                  @Override
                  public void onCompleted() {
                    done.complete(null);
                  }
                });
    for (int start : new int[] {1, 3, 5}) {
      Product second = start == 5 ? product(6).toBuilder().clearTitle().build() : product(start + 1);
      stream.onNext(
          CatalogServiceUpsertProductsRequest.newBuilder().addProducts(product(start)).addProducts(second).build());
    }
    stream.onCompleted();
    done.get();
    var written = new ArrayList<String>();
    for (var answer : answers) {
      System.out.printf("upsert: %d products, revision %d%n", answer.getOutcomesCount(), answer.getRevision());
      for (ItemOutcome outcome : answer.getOutcomesList()) {
        if (outcome.getStatus().getCode() == Code.OK_VALUE) {
          written.add(outcome.getId());
        } else {
          Refusal.tell(outcome.getStatus());
        }
      }
    }
    return written;
  }

  private static Product product(int number) {
    return Product.newBuilder()
        .setId("example-java-" + number)
        .setTitle("Trail running shoes, model " + number)
        .setBrand("Norvik")
        .addCategories("Shoes > Running shoes")
        .setPrice(79.5 + number)
        .setCurrencyCode("EUR")
        .putAllAttributes(Map.of("color", AttributeValues.newBuilder().addText("red").build()))
        .build();
  }

  /** Says that the visitor opened the first result; the attribution token tells which answer led there. */
  private void view(SearchResponse found) {
    UserEvent event =
        UserEvent.newBuilder()
            // Made once: the same event may be sent again and is written once.
            .setEventId(UUID.randomUUID().toString())
            .setEventType(EventType.EVENT_TYPE_VIEW_ITEM)
            .setVisitorId(VISITOR)
            .setAttributionToken(found.getAttributionToken())
            .addProducts(
                EventProduct.newBuilder().setProductId(found.getResults(0).getProduct().getId()).setPosition(1))
            .build();
    var written =
        UserEventServiceGrpc.newBlockingStub(channel)
            .withDeadlineAfter(5, TimeUnit.SECONDS)
            .writeUserEvents(WriteUserEventsRequest.newBuilder().addEvents(event).build());
    for (ItemOutcome outcome : written.getOutcomesList()) {
      if (outcome.getStatus().getCode() != Code.OK_VALUE) {
        throw new IllegalStateException(outcome.getStatus().getMessage());
      }
    }
    System.out.printf(
        "event: %d written, %d of them known already%n", written.getOutcomesCount(), written.getDuplicates());
  }

  /** Shows what a bad filter is answered with. */
  private void askWrongly() throws InvalidProtocolBufferException {
    var request = SearchRequest.newBuilder().setQuery("shoes").setFilter(filter("colour = red")).build();
    try {
      searches(5).search(request);
    } catch (StatusRuntimeException error) {
      if (error.getStatus().getCode() != io.grpc.Status.Code.INVALID_ARGUMENT) {
        throw error;
      }
      Refusal.tell(Refusal.of(error));
      return;
    }
    throw new IllegalStateException("a bad filter was answered");
  }

  /** Makes 60 calls at once; where the key has a rate, some are refused with the time to wait. */
  private void askTooOften(String id) throws InterruptedException, InvalidProtocolBufferException {
    var request = GetProductRequest.newBuilder().setId(id).build();
    var calls = CatalogServiceGrpc.newFutureStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    var answers = IntStream.range(0, 60).mapToObj(call -> calls.getProduct(request)).toList();
    var refusals = new ArrayList<Status>();
    for (var answer : answers) {
      try {
        answer.get();
      } catch (ExecutionException error) {
        refusals.add(Refusal.of((StatusRuntimeException) error.getCause()));
      }
    }
    for (Status refusal : refusals) {
      if (refusal.getCode() != Code.RESOURCE_EXHAUSTED_VALUE) {
        throw new IllegalStateException(refusal.getMessage());
      }
    }
    System.out.printf("rate: %d of %d calls refused%n", refusals.size(), answers.size());
    if (!refusals.isEmpty()) {
      Refusal.tell(refusals.get(refusals.size() - 1));
      Refusal.patiently(Duration.ofSeconds(30), () -> catalogue(10).getProduct(request));
      System.out.println("  answered after waiting");
    }
  }

  /** Takes out what `upsert` wrote. */
  private void tidy(List<String> ids) throws InterruptedException, InvalidProtocolBufferException {
    var request = CatalogServiceDeleteProductsRequest.newBuilder().addAllIds(ids).build();
    var gone = Refusal.patiently(Duration.ofSeconds(10), () -> catalogue(10).deleteProducts(request));
    System.out.printf("delete: %d products, revision %d%n", gone.getOutcomesCount(), gone.getRevision());
  }

  private SearchServiceGrpc.SearchServiceBlockingStub searches(int timeoutS) {
    return SearchServiceGrpc.newBlockingStub(channel).withDeadlineAfter(timeoutS, TimeUnit.SECONDS);
  }

  private CatalogServiceGrpc.CatalogServiceBlockingStub catalogue(int timeoutS) {
    return CatalogServiceGrpc.newBlockingStub(channel).withDeadlineAfter(timeoutS, TimeUnit.SECONDS);
  }

  private static ProductFilter filter(String expression) {
    return ProductFilter.newBuilder().setExpression(expression).build();
  }
}
