"""The sample shop's queries and judgements."""

from collections import defaultdict

from cli.sample.draw import Draw
from cli.sample.judgements import judgements
from cli.sample.lexicon import LANGUAGES
from cli.sample.products import Shop, named
from cli.sample.queries import query_for


def test_a_query_is_answered_fully_by_the_product_it_was_made_from() -> None:
    shop = Shop(2_000, seed=1)
    for number in range(400):
        facts = shop.facts(number)
        assert query_for(facts, LANGUAGES[number % 2], Draw(1, "test", number)).grade(facts) == 3


def test_grades_fall_with_each_thing_that_is_missing() -> None:
    shop = Shop(2_000, seed=1)
    products = [shop.facts(index) for index in range(2_000)]
    seen = set()
    for number in range(300):
        about = products[number]
        query = query_for(about, "en", Draw(2, "test", number))
        for facts in products:
            grade = query.grade(facts)
            if facts.type is not about.type:
                related = facts.type.host == about.type.key or about.type.key in (facts.type.near,)
                related = related or about.type.near == facts.type.key
                assert grade == int(related)
                continue
            missing = 0
            for want in query.wants:
                said = {
                    "brand": [facts.brand.en],
                    "model": [facts.model],
                    "feature": [facts.type.features[position].en for position in facts.features],
                    "value": [said for values, said in facts.said_values("en") if values.name == want.name],
                    "host": [named(facts.host, "en")] if facts.host else [],
                }[want.kind]
                missing += want.said not in said
                seen.add(want.kind)
            assert grade == max(1, 3 - missing)
    assert seen == {"brand", "model", "feature", "value", "host"}


def test_judged_lists_hold_good_and_bad_in_both_languages() -> None:
    grades = defaultdict(list)
    languages = set()
    pairs = set()
    for row in judgements(Shop(2_000, seed=1)):
        grades[row["query_id"]].append(row["grade"])
        languages.add(row["language"])
        pairs.add((row["query_id"], row["product_id"]))
    assert languages == {"zh", "en"}
    assert len(pairs) == sum(map(len, grades.values()))
    assert len(grades) > 150
    assert all(max(of_query) == 3 and min(of_query) < 3 for of_query in grades.values())
    assert {grade for of_query in grades.values() for grade in of_query} == {0, 1, 2, 3}
