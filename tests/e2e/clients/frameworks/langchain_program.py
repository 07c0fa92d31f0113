"""Do with LangChain what programs do with it, and print what came of it as JSON.

    python langchain_program.py BASE_URL KEY

The base URL has no /v1. The same steps by Responses, chat completions and Anthropic's messages.
"""

import json
import sys
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

ASK = HumanMessage("Hi")


@tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"4 C in {city}"


class Place(BaseModel):
    """Where."""

    city: str


class Program:
    """One way to the models."""

    def __init__(self, way: str, base_url: str, key: str) -> None:
        self.way = way
        self.base_url = base_url
        self.key = key

    def model(self, name: str, **options: Any) -> BaseChatModel:
        """Return a model by name; `options` are for the class of this way."""
        if self.way == "messages":
            return ChatAnthropic(
                base_url=self.base_url, api_key=self.key, model=name, max_retries=0, **options
            )
        return ChatOpenAI(
            base_url=f"{self.base_url}/v1",
            api_key=self.key,
            model=name,
            max_retries=0,
            # Chat completions tell a stream's usage only if asked, and LangChain asks only OpenAI.
            stream_usage=True,
            use_responses_api=self.way == "responses",
            **options,
        )

    def report(self) -> dict[str, Any]:
        """Take each step."""
        return {
            "invoked": told(self.model("smollm2:135m").invoke([ASK])),
            "streamed": told(streamed(self.model("smollm2:135m"), [ASK])),
            "tools": [self.tool_loop(streaming=streaming) for streaming in (False, True)],
            "structured": self.structured(),
            "instructed": self.model("recalls").invoke([SystemMessage("Be brief."), ASK]).text,
        }

    def tool_loop(self, *, streaming: bool) -> dict[str, Any]:
        """Call tools until there are no calls."""
        model = self.model("calls-twice").bind_tools([weather])
        messages: list[Any] = [HumanMessage("Weather?")]
        calls = []
        while True:
            said = streamed(model, messages) if streaming else model.invoke(messages)
            messages.append(said)
            if not said.tool_calls:
                return {"calls": calls, **told(said)}
            for call in said.tool_calls:
                calls.append([call["name"], call["args"], reason_of(said)])
                messages.append(ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]))

    def structured(self) -> str:
        """Read an answer in a form, by the way's own means."""
        model = self.model("says-json")
        found = model.with_structured_output(Place, method="json_schema").invoke("Where?")
        return found.city


def streamed(model: Any, asked: Any) -> AIMessage:
    """Add up the pieces of an answer, as LangChain's own code does."""
    whole: AIMessageChunk | None = None
    for piece in model.stream(asked):
        whole = piece if whole is None else whole + piece
    assert whole is not None
    return whole


def reason_of(said: AIMessage) -> str | None:
    """Return why an answer ended, by the name that its way has for it."""
    metadata = said.response_metadata
    names = ("finish_reason", "stop_reason", "status")
    return next((metadata[name] for name in names if metadata.get(name)), None)


def told(said: AIMessage) -> dict[str, Any]:
    """Return the parts of an answer that programs read."""
    return {
        "text": str(said.text),
        "reason": reason_of(said),
        "model": said.response_metadata.get("model_name"),
        "tokens": [said.usage_metadata["input_tokens"], said.usage_metadata["output_tokens"]],
    }


def remembered(program: Program) -> dict[str, Any]:
    """Send the newest message alone, because the service has the others."""
    model = program.model("recalls", use_previous_response_id=True)
    messages: list[Any] = [HumanMessage("One")]
    for question in ("Two", "Three"):
        messages += [model.invoke(messages), HumanMessage(question)]
    return {"whole": model.invoke(messages).text, "streamed": streamed(model, messages).text}


THINKING: dict[str, dict[str, Any]] = {
    "kept": {"reasoning": {"effort": "low", "summary": "auto"}},
    "not kept": {
        "reasoning": {"effort": "low", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    },
    "messages": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
}


def thoughts(program: Program, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the blocks of an answer with thoughts, and what comes of sending them back."""
    model = program.model("thinks", **asked)
    said = streamed(model, [ASK])
    blocks = [
        [block["type"], block.get("reasoning") or block.get("text")]
        for block in said.content_blocks
    ]
    whole = model.invoke([ASK, said, ASK])
    return {"blocks": blocks, "then": model.invoke([ASK, said, ASK, whole, ASK]).text}


def main(base_url: str, key: str) -> dict[str, Any]:
    """Return the report: one member a way, and what only some of them have."""
    programs = {way: Program(way, base_url, key) for way in ("responses", "chat", "messages")}
    return {
        "ways": {way: program.report() for way, program in programs.items()},
        "remembered": remembered(programs["responses"]),
        "thoughts": {
            name: thoughts(programs["messages" if name == "messages" else "responses"], asked)
            for name, asked in THINKING.items()
        },
    }


if __name__ == "__main__":
    json.dump(main(*sys.argv[1:]), sys.stdout)
