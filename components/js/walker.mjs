// A component in JavaScript: a random walk, simulated. Run: node walker.mjs ENROLMENT LATCHFILE
// What makes it a component is in the two files beside it, which are yours to copy. docs/components.md is the contract.
import { Component } from './component.mjs';
import { Rejected } from './latch.mjs';

const MOST = 1_000_000;
let position = 0;

/** Between two steps it may be held for as long as it takes, or stopped for good. */
function* walk(steps) {
  for (let taken = 0; taken < steps; taken++) {
    position += Math.random() < 0.5 ? 1 : -1;
    yield { progress: taken / steps, message: `${taken} of ${steps} steps` };
  }
  return { position };
}

function beginWalk({ steps }) {
  if (!(Number.isInteger(steps) && steps >= 1 && steps <= MOST)) throw new Rejected(`steps must be from 1 to ${MOST}`);
  return walk(steps);
}

const steps = { type: 'integer', minimum: 1, maximum: MOST };
const walkInput = { type: 'object', properties: { steps }, required: ['steps'] };
const [enrolment, latch] = process.argv.slice(2);
new Component(enrolment, latch, {
  title: 'A random walk (simulated)',
  kind: 'simulation',
  version: '1.0.0',
  commands: {
    where: { title: 'Say where it is', input: { type: 'object' }, run: () => ({ position }) },
    walk: { title: 'Walk some steps at random', input: walkInput, job: true, run: beginWalk },
  },
  stop: { deadline_ms: 500, on_silence: 'hold' },
  halt() {}, // what drives real things switches them off here
}).run();
