// Do with Vercel's AI SDK what programs do with it, and print what came of it as JSON.
//
//     node vercel_node.mjs BASE_URL KEY
//
// The same steps by OpenAI's Responses (the provider's default) and by Anthropic's messages. The SDK
// prints its warnings, and nothing but the report may be printed.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, generateObject, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const [baseURL, apiKey] = process.argv.slice(2);
const openai = createOpenAI({ baseURL, apiKey });
const anthropic = createAnthropic({ baseURL, apiKey });
const PLACE = z.object({ city: z.string() });
// To an Anthropic model that it does not know the SDK would send a limit of its own, and warn.
const ASK = { prompt: "Hi", maxRetries: 0, maxOutputTokens: 500 };

const weather = tool({
  description: "Tells the weather.",
  inputSchema: PLACE,
  execute: async ({ city }) => `4 C in ${city}`,
});
const LOOP = { tools: { weather }, stopWhen: stepCountIs(5) };

// What a program reads of an answer, whole or streamed; a stream's members are promises.
async function told(result) {
  const usage = await result.totalUsage;
  return {
    text: await result.text,
    reason: await result.finishReason,
    tokens: [usage.inputTokens, usage.outputTokens],
    steps: (await result.steps).map((step) => [
      step.finishReason,
      step.toolCalls.map((call) => [call.toolName, call.input]),
      step.toolResults.map((each) => each.output),
      step.warnings ?? [],
    ]),
  };
}

// A stream says its errors among its parts.
async function streamed(request) {
  const parts = [];
  const result = streamText({ ...ASK, ...request, onError: () => {} });
  for await (const part of result.fullStream) parts.push(part);
  const kinds = parts.map((part) => part.type);
  const texts = parts.filter((part) => part.type === "text-delta").map((part) => part.text);
  return { result, kinds, texts, parts };
}

async function both(request) {
  const stream = await streamed(request);
  const whole = await told(await generateText({ ...ASK, ...request }));
  return { whole, streamed: await told(stream.result), texts: stream.texts };
}

async function failure(step) {
  try {
    await step();
  } catch (error) {
    if (!APICallError.isInstance(error)) throw error;
    return { status: error.statusCode, message: error.message, retryable: error.isRetryable };
  }
  return {};
}

async function report(model, thinking) {
  const place = await generateObject({ ...ASK, model: model("says-json"), schema: PLACE });
  const output = Output.object({ schema: PLACE });
  const form = await generateText({ ...ASK, model: model("says-json"), output });
  const partial = streamText({ ...ASK, model: model("says-json"), output });
  const places = [];
  for await (const each of partial.partialOutputStream) places.push(each);
  const thought = { model: model("thinks"), providerOptions: thinking };
  const broken = await streamed({ model: model("breaks-off") });
  const choice = { toolChoice: "required", stopWhen: stepCountIs(1), tools: { weather } };
  return {
    text: await both({ model: model("smollm2:135m") }),
    tools: await both({ model: model("calls-twice"), ...LOOP }),
    forced: await both({ model: model("calls-tools"), ...choice }),
    object: [place.object.city, place.finishReason, place.warnings ?? []],
    output: [form.output.city, places.at(-1).city],
    thoughts: (await generateText({ ...ASK, ...thought })).reasoningText,
    "thoughts streamed": await (await streamed(thought)).result.reasoningText,
    broken: [broken.texts, broken.kinds.includes("error"), await broken.result.finishReason],
    instructed: (
      await generateText({ ...ASK, model: model("recalls"), system: "Be brief." })
    ).text,
    "unknown model": await failure(() => generateText({ ...ASK, model: model("none") })),
  };
}

// Turns that send what is new alone, because the service has the rest.
async function remembered() {
  const asked = { ...ASK, model: openai("recalls") };
  const first = await generateText({ ...asked, prompt: "One" });
  const { responseId } = first.providerMetadata.openai;
  const before = { providerOptions: { openai: { previousResponseId: responseId } } };
  const second = await generateText({ ...asked, ...before, prompt: "Two" });
  // The history goes as references to items that the service keeps.
  const messages = [
    { role: "user", content: "One" },
    ...first.response.messages,
    { role: "user", content: "Three" },
  ];
  const third = await generateText({ model: openai("recalls"), maxRetries: 0, messages });
  return { second: second.text, third: third.text };
}

const summary = { openai: { reasoningEffort: "low", reasoningSummary: "auto", forceReasoning: true } };
const budget = { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } };

process.stdout.write(
  JSON.stringify({
    responses: await report(openai, summary),
    messages: await report(anthropic, budget),
    chat: await both({ model: openai.chat("calls-twice"), ...LOOP }),
    remembered: await remembered(),
  }),
);
