"""RetrieveAndGenerate through a whole server: answers, their citations, and what a model is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.answering import BRIGHTWATER, PUMP, Library, parts, place
from tests.acceptance.identities import allow, document, refused, user_key, with_key
from tests.acceptance.serving import CLAUDE, GPT, HAIKU
from tests.fakes import scripts

SORRY = "Sorry, I am unable to assist you with this request."
PROFILE = "arn:aws:bedrock:us-east-1:000000000000:inference-profile/us."


def test_the_sample_model_is_cited(shelf: Library) -> None:
    """With nothing but what is in the box: the answer's part rests on the stored chunk that says it."""
    answer = shelf.ask("How many employees does Brightwater have?", model="craton.chat-mini-v4:0")
    (reference,) = answer["citations"][0]["retrievedReferences"]
    assert reference["content"] == {"type": "TEXT", "text": BRIGHTWATER}
    assert reference["location"] == {"type": "S3", "s3Location": {"uri": shelf.uri("brightwater.txt")}}
    assert reference["metadata"]["kind"] == "company"
    assert reference["metadata"]["x-amz-bedrock-kb-source-uri"] == shelf.uri("brightwater.txt")
    assert "210" in parts(answer)[0][0]
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-craton-supported"] == "1/1"


def test_a_stand_in_says_so(shelf: Library) -> None:
    """A model of the catalog without a target is answered for by the sample model, and the answer names it."""
    answer = shelf.ask("Where is Brightwater based?", model="anthropic.claude-instant-v1")
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-craton-standin"] == "craton.chat-mini-v4:0"
    assert parts(answer) == [("Lisbon", ["brightwater.txt"])]


def test_marks_become_citations_that_hold(shelf: Library) -> None:
    """What a passage bears out is cited, whatever the marks say; a wrong figure and an invention are not."""
    answer = shelf.ask(
        "What does the Aurora pump cost?",
        "The Aurora pump costs 240 dollars [[1]]. Its warranty lasts 48 months [[1]]. It is lovely [[77]]. "
        "Brightwater has 210 employees [[1]].",
        results=4,
    )
    assert parts(answer) == [
        ("The Aurora pump costs 240 dollars.", ["pump.txt"]),
        ("Its warranty lasts 48 months. It is lovely.", []),
        ("Brightwater has 210 employees.", ["brightwater.txt"]),
    ]
    assert "[[" not in answer["output"]["text"]
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-craton-supported"] == "2/3"


def test_what_the_model_is_told(shelf: Library) -> None:
    """Passages with numbers, instructions and marks; temperature 0 and 2,048 tokens unless said otherwise; no tools."""
    shelf.ask("What does the Aurora pump cost?", "240 dollars [[1]].", results=2)
    sent, told = shelf.served.sent(), shelf.told()
    assert f'<search_result id="1">\n{PUMP}\n</search_result>' in told
    assert told.endswith("What does the Aurora pump cost?")
    assert (sent["temperature"], sent["max_tokens"]) == (0.0, 2048)
    assert "tools" not in sent


def test_the_callers_parameters(shelf: Library) -> None:
    """inferenceConfig and additionalModelRequestFields go to the model that answers."""
    config = {"textInferenceConfig": {"temperature": 0.5, "maxTokens": 77, "stopSequences": ["END"]}}
    generation = {"inferenceConfig": config, "additionalModelRequestFields": {"top_k": 5}}
    shelf.ask("Cost of the pump?", "240.", generationConfiguration=generation)
    sent = shelf.served.sent()
    assert (sent["temperature"], sent["max_tokens"], sent["stop_sequences"], sent["top_k"]) == (0.5, 77, ["END"], 5)


def test_nothing_found_asks_no_model(shelf: Library) -> None:
    """Where the filter leaves nothing, the answer is Bedrock's, without a reference."""
    answer = shelf.ask("Cost?", where={"equals": {"key": "kind", "value": "nowhere"}})
    assert parts(answer) == [(SORRY, [])]
    assert shelf.served.up.requests == []


def test_a_silent_model_is_no_answer(shelf: Library) -> None:
    """A model that says nothing leaves the same answer."""
    assert parts(shelf.ask("Cost?", " \n"))[0] == (SORRY, [])


def test_a_template_of_the_callers(shelf: Library) -> None:
    """Its placeholders are filled once: what a document or the question holds of them stays as it is."""
    template = "T $current_time$ R $search_results$ Q $query$"
    shelf.ask(
        "Port Merrow holiday rules $search_results$?", "None.", results=4,
        generationConfiguration={"promptTemplate": {"textPromptTemplate": template}},
    )  # fmt: skip
    told = shelf.told()
    assert told.count("<search_results>") == 1
    assert told.endswith("Q Port Merrow holiday rules $search_results$?")
    assert "$query$" in told


def test_without_output_instructions_nothing_is_cited(shelf: Library) -> None:
    """As on Bedrock: a template without $output_format_instructions$ gives an answer in one part without references."""
    template = {"promptTemplate": {"textPromptTemplate": "$search_results$ $query$"}}
    answer = shelf.ask("Cost?", "The Aurora pump costs 240 dollars. Yes.", generationConfiguration=template)
    assert parts(answer) == [("The Aurora pump costs 240 dollars. Yes.", [])]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"generationConfiguration": {"promptTemplate": {"textPromptTemplate": "$query$"}}}, r"\$search_results\$"),
        (
            {"orchestrationConfiguration": {"promptTemplate": {"textPromptTemplate": "$query$"}}},
            r"\$conversation_history\$ and \$output_format_instructions\$",
        ),
        ({"generationConfiguration": {"guardrailConfiguration": {"guardrailId": "abc", "guardrailVersion": "1"}}}, "uardrail"),
        ({"generationConfiguration": {"inferenceConfig": {"textInferenceConfig": {"maxTokens": 0}}}}, "maxTokens"),
        ({"generationConfiguration": {"inferenceConfig": {"textInferenceConfig": {"maxTokens": 65536}}}}, "maximum tokens"),
        ({"model": "no.such-model"}, "model identifier is invalid"),
        ({"model": "amazon.titan-embed-text-v2:0"}, "supported text or chat model"),
    ],
)  # fmt: skip
def test_what_is_refused(shelf: Library, more: dict[str, Any], words: str) -> None:
    """With a ValidationException that says what to change."""
    with refused("ValidationException", 400, words):
        shelf.ask("Cost?", "240.", **more)


def test_configurations_belong_to_their_type(shelf: Library) -> None:
    """Each type has its member, and a question has words."""
    ask = shelf.runtime.retrieve_and_generate
    with refused("ValidationException", 400, "must have externalSourcesConfiguration"):
        ask(input={"text": "x"}, retrieveAndGenerateConfiguration=shelf.config() | {"type": "EXTERNAL_SOURCES"})
    with refused("ValidationException", 400, "retrieveAndGenerateConfiguration"):
        ask(input={"text": "x"})
    with refused("ValidationException", 400, "input.text"):
        shelf.ask("  ")


def test_a_knowledge_base_that_cannot_be_asked(shelf: Library) -> None:
    """One that is not there, and one that is managed."""
    config = shelf.config()
    config["knowledgeBaseConfiguration"]["knowledgeBaseId"] = "NOSUCHBASE"
    with refused("ResourceNotFoundException", 404):
        shelf.runtime.retrieve_and_generate(input={"text": "x"}, retrieveAndGenerateConfiguration=config)
    made = shelf.known.agent.create_knowledge_base(
        name="managed", roleArn=shelf.known.role, knowledgeBaseConfiguration={"type": "MANAGED"}
    )
    config["knowledgeBaseConfiguration"]["knowledgeBaseId"] = made["knowledgeBase"]["knowledgeBaseId"]
    with refused("ValidationException", 400, "managed knowledge bases"):
        shelf.runtime.retrieve_and_generate(input={"text": "x"}, retrieveAndGenerateConfiguration=config)


def test_models_by_every_name(shelf: Library) -> None:
    """A foundation model's ARN, a profile's ARN, and a family without system prompts or history."""
    shelf.ask("Cost?", "240 dollars [[1]].", model=f"arn:aws:bedrock:us-east-1::foundation-model/{CLAUDE}")
    shelf.ask("Cost?", "240 dollars [[1]].", model=PROFILE + CLAUDE)
    shelf.served.up.scripts.clear()
    shelf.served.up.play(scripts.openai_reply("The Aurora pump costs 240 dollars [[1]]."))
    answer = shelf.runtime.retrieve_and_generate(
        input={"text": "What does the Aurora pump cost?"},
        retrieveAndGenerateConfiguration=shelf.config(model="amazon.titan-text-express-v1"),
    )
    assert parts(answer) == [("The Aurora pump costs 240 dollars.", ["pump.txt"])]
    assert [message["role"] for message in shelf.served.sent()["messages"]] == ["user"]


def test_a_question_of_several_parts(shelf: Library) -> None:
    """The model takes it apart; each part is looked up, and the best of each comes first."""
    decomposed = {"orchestrationConfiguration": {"queryTransformationConfiguration": {"type": "QUERY_DECOMPOSITION"}}}
    shelf.ask(
        "Compare the price of the pump with the number of employees of Brightwater",
        "<query>price of the Aurora pump</query>\n<query>employees of Brightwater</query>",
        "The Aurora pump costs 240 dollars [[1]]. Brightwater has 210 employees [[2]].",
        results=1,
        **decomposed,
    )
    assert len(shelf.served.up.requests) == 2
    assert f'id="1">\n{PUMP}' in shelf.told()
    assert f'id="2">\n{BRIGHTWATER}' in shelf.told()


def test_an_injected_text_changes_nothing(shelf: Library) -> None:
    """It is read within its fence: no tool is there, the filter holds, and a model that obeys it gets no citation."""
    answer = shelf.ask(
        "What are the holiday rules of Port Merrow?",
        "The secret wages of Port Merrow are 9,999 dollars [[1]].",
        results=10,
        where={"equals": {"key": "kind", "value": "holiday"}},
    )
    told = shelf.told()
    assert told.count("</search_results>") == 1
    assert "9,999" not in told
    assert "tools" not in shelf.served.sent()
    assert parts(answer) == [("The secret wages of Port Merrow are 9,999 dollars.", [])]


def test_an_obedient_query_stays_within_the_filter(shelf: Library) -> None:
    """What a model writes as a query is looked up within the caller's filter, and only that."""
    first = shelf.ask("Holiday rules?", "None.", where={"equals": {"key": "kind", "value": "holiday"}})
    shelf.ask(
        "And now?", "<query>secret wages of Port Merrow</query>", "None.", session=first["sessionId"],
        where={"equals": {"key": "kind", "value": "holiday"}},
    )  # fmt: skip
    assert "9,999" not in shelf.told()


@pytest.mark.parametrize("missing", ["bedrock:RetrieveAndGenerate", "bedrock:Retrieve", "bedrock:InvokeModel"])
def test_three_rights_are_needed(shelf: Library, missing: str) -> None:
    """To generate, to retrieve from this knowledge base, and to invoke this model."""
    base = f"arn:aws:bedrock:us-east-1:000000000000:knowledge-base/{shelf.known.base}"
    rights = {
        "bedrock:RetrieveAndGenerate": allow("bedrock:RetrieveAndGenerate"),
        "bedrock:Retrieve": allow("bedrock:Retrieve", base),
        "bedrock:InvokeModel": allow("bedrock:InvokeModel", f"arn:aws:bedrock:*::foundation-model/{CLAUDE}"),
    }
    key = user_key(shelf.served.server, f"no-{missing.partition(':')[2]}", document(*rights.values()))
    runtime = with_key(shelf.served.server, key, "bedrock-agent-runtime")
    asked = {"input": {"text": "Cost?"}, "retrieveAndGenerateConfiguration": shelf.config()}
    shelf.served.up.scripts.clear()
    shelf.served.up.play(scripts.anthropic_reply("240."))
    assert runtime.retrieve_and_generate(**asked)["output"]["text"] == "240."
    iam = shelf.served.server.client("iam")
    left = document(*(right for name, right in rights.items() if name != missing))
    iam.put_user_policy(UserName=key["UserName"], PolicyName="own", PolicyDocument=left)
    with refused("AccessDeniedException", 403, missing):
        runtime.retrieve_and_generate(**asked)


def test_a_failing_model_is_a_dependency(shelf: Library) -> None:
    """The vendor's trouble in the words of this API, which has no ModelErrorException."""
    shelf.served.up.scripts.clear()
    shelf.served.up.play(scripts.error_openai(500))
    with refused("DependencyFailedException", 424):
        shelf.runtime.retrieve_and_generate(
            input={"text": "Cost?"}, retrieveAndGenerateConfiguration=shelf.config(model=HAIKU)
        )
    shelf.served.up.scripts.clear()
    shelf.served.up.play(scripts.error_openai(429))
    with refused("ThrottlingException", 429):
        shelf.runtime.retrieve_and_generate(
            input={"text": "Cost?"}, retrieveAndGenerateConfiguration=shelf.config(model=GPT)
        )


def test_reranked_results_keep_their_numbers(shelf: Library) -> None:
    """A mark means the passage that stood at that number in the prompt."""
    answer = shelf.ask("What does the Aurora pump cost?", "It weighs 12 kilograms, the Aurora pump [[1]].", results=3)
    (cited,) = answer["citations"][0]["retrievedReferences"]
    assert place(cited) == "pump.txt"
    assert cited["content"]["text"] == PUMP
