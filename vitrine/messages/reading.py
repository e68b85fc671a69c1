"""How a query was read, over the wire."""

from vitrine.ports.reading import WHYS, QueryReading, WordReading
from vitrine.v1 import retriever_service_pb2 as pb


def reading_to_message(reading: QueryReading) -> pb.QueryReading:
    """A reading."""
    return pb.QueryReading(
        corrected_query=reading.corrected_query,
        excluded_words=reading.excluded_words,
        words=[pb.WordReading(word=one.word, read_as=one.read_as, why=one.why) for one in reading.words],
        dense_weight=reading.dense_weight,
        model_text=reading.model_text,
    )


def reading_from_message(message: pb.QueryReading) -> QueryReading:
    """A reading."""
    return QueryReading(
        corrected_query=message.corrected_query,
        excluded_words=tuple(message.excluded_words),
        words=tuple(WordReading(one.word, tuple(one.read_as), WHYS[one.why]) for one in message.words),
        dense_weight=message.dense_weight if message.HasField("dense_weight") else None,
        model_text=message.model_text,
    )
