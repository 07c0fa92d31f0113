"""Do with OpenAI's Agents SDK what programs do with it, and print what came of it as JSON.

    python agents_program.py BASE_URL KEY

Its model asks Responses, as it does by itself; its session keeps a conversation in the service.
"""

import asyncio
import json
import sys
from typing import Any

from agents import (
    Agent,
    ModelSettings,
    OpenAIConversationsSession,
    Runner,
    function_tool,
    set_default_openai_client,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from pydantic import BaseModel


@function_tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"4 C in {city}"


class Place(BaseModel):
    """Where."""

    city: str


FORECASTER = Agent(name="Forecaster", model="calls-twice", tools=[weather])
BRIEF = Agent(name="Brief", model="recalls", instructions="Be brief.")
RECALLING = Agent(name="Recalling", model="recalls")


def told(result: Any) -> dict[str, Any]:
    """Return the parts of a run that programs read."""
    usage = result.context_wrapper.usage
    return {
        "answer": result.final_output,
        "items": [item.type for item in result.new_items],
        "usage": [usage.requests, usage.input_tokens, usage.output_tokens],
    }


async def streamed() -> dict[str, Any]:
    """Run with its events."""
    run = Runner.run_streamed(FORECASTER, "Weather?")
    raw: list[str] = []
    names: list[str] = []
    async for event in run.stream_events():
        if event.type == "raw_response_event":
            raw.append(event.data.type)
        if event.type == "run_item_stream_event":
            names.append(event.name)
    deltas = raw.count("response.output_text.delta")
    completed = raw.count("response.completed")
    return {**told(run), "names": names, "deltas": deltas, "completed": completed}


async def chained() -> dict[str, Any]:
    """Run with a tool, and then again, sending what is new alone."""
    first = await Runner.run(RECALLING, "One")
    then = await Runner.run(RECALLING, "Two", previous_response_id=first.last_response_id)
    looped = await Runner.run(FORECASTER, "Weather?", auto_previous_response_id=True)
    return {"answer": then.final_output, "looped": looped.final_output}


async def session() -> dict[str, Any]:
    """Talk twice in a session of the service, once of them streamed."""
    kept = OpenAIConversationsSession()
    first = await Runner.run(RECALLING, "One", session=kept)
    run = Runner.run_streamed(RECALLING, "Two", session=kept)
    async for _ in run.stream_events():
        pass
    looped = await Runner.run(FORECASTER, "Weather?", session=kept)
    items = await kept.get_items()
    popped = await kept.pop_item()
    left = len(await kept.get_items())
    await kept.clear_session()
    return {
        "first": first.final_output,
        "second": run.final_output,
        "looped": looped.final_output,
        "items": [item.get("type") for item in items],
        "popped": popped["content"][0]["text"],
        "left": left,
    }


async def placed() -> str:
    """Have the answer in a form."""
    agent = Agent(name="Placing", model="says-json", output_type=Place)
    return (await Runner.run(agent, "Where?")).final_output.city


async def forced() -> str:
    """Require the tool, and stop at its result."""
    agent = Agent(
        name="Forced",
        model="calls-tools",
        tools=[weather],
        tool_use_behavior="stop_on_first_tool",
        model_settings=ModelSettings(tool_choice="required"),
    )
    return (await Runner.run(agent, "Weather?")).final_output


async def main(base_url: str, key: str) -> dict[str, Any]:
    """Return the report: one member a step."""
    # Traces go to OpenAI, whatever the client's address is.
    set_tracing_disabled(True)
    set_default_openai_client(AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0))
    return {
        "whole": told(await Runner.run(FORECASTER, "Weather?")),
        "streamed": await streamed(),
        "chained": await chained(),
        "session": await session(),
        "placed": await placed(),
        "forced": await forced(),
        "instructed": (await Runner.run(BRIEF, "Hi")).final_output,
    }


if __name__ == "__main__":
    json.dump(asyncio.run(main(*sys.argv[1:])), sys.stdout)
