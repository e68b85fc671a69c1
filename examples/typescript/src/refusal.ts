import { type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { type Duration, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";

import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { type Status } from "../gen/google/rpc/status_pb.js";

/** Finds the details of one type, in a call's error or in the status of one item. */
type Find = <Desc extends DescMessage>(schema: Desc) => MessageShape<Desc>[];

/** Prints why a call was refused. */
export function tellError(error: ConnectError): void {
  tell(error.code, error.rawMessage, (schema) => error.findDetails(schema));
}

/** Prints why one item of a batch was refused. */
export function tellStatus(status: Status): void {
  tell(status.code, status.message, (schema) =>
    status.details.map((detail) => anyUnpack(detail, schema)).filter((detail) => detail !== undefined),
  );
}

/** Prints a refusal: its code and words, the fields that are wrong, and when to try again. */
function tell(code: Code, message: string, find: Find): void {
  console.log(`  ${Code[code]}: ${message}`);
  for (const info of find(ErrorInfoSchema)) {
    console.log(`    reason: ${info.reason}`);
  }
  for (const { field, description } of find(BadRequestSchema).flatMap((detail) => detail.fieldViolations)) {
    console.log(`    field ${field}: ${description}`);
  }
  for (const { retryDelay } of find(RetryInfoSchema)) {
    if (retryDelay) {
      console.log(`    try again after: ${milliseconds(retryDelay)} ms`);
    }
  }
}

/** Calls again when the server says after what time, for at most `timeoutMs`. */
export async function patiently<Reply>(timeoutMs: number, call: () => Promise<Reply>): Promise<Reply> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const delay = ConnectError.from(error).findDetails(RetryInfoSchema)[0]?.retryDelay;
      if (!delay || performance.now() > end) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, milliseconds(delay)));
    }
  }
}

function milliseconds(duration: Duration): number {
  return Math.ceil(Number(duration.seconds) * 1e3 + duration.nanos / 1e6);
}
