// One answer of a model, by generation 5, under the name that a rule judges.
import { NodeSDK } from "@opentelemetry/sdk-node";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { startObservation } from "@langfuse/tracing";

const sdk = new NodeSDK({ spanProcessors: [new LangfuseSpanProcessor()] });
sdk.start();
const input = [{ role: "user", content: "法国的首都是哪里?" }];
const call = startObservation(process.argv[2], { input, output: "巴黎" }, { asType: "generation" });
call.end();
console.log(call.traceId);
await sdk.shutdown();
