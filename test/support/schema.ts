/** The published JSON Schema as a check. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { EventKind } from '../../src/event/kinds.ts';
import schema from '../../src/event/tcp-event.schema.json' with { type: 'json' };

/** The rules that the schema adds for a kind. */
export function rulesOf(kind: EventKind) {
  return schema.allOf.filter(({ if: { properties } }) => {
    const { enum: kinds, const: only }: { enum?: readonly string[]; const?: string } = properties.event;
    return only === kind || kinds?.includes(kind) === true;
  });
}

/** Gives what an event breaks of schema version 1, one line a fault; empty when it is valid. Compiled once. */
export type EventValidator = (event: unknown) => string[];

export function createEventValidator(): EventValidator {
  const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(schema);
  return (event) =>
    validate(event)
      ? []
      : (validate.errors ?? []).map(({ instancePath, message, params }) =>
          `${instancePath} ${message} ${JSON.stringify(params)}`.trim(),
        );
}
