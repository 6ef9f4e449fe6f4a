// Leaves standard output to our answers: of what the libraries say, warnings and errors go to standard error, and the
// rest nowhere. It is imported before them.
import { Console } from 'node:console';

const silent = () => {};
const quiet = { log: silent, info: silent, debug: silent, trace: silent };

globalThis.console = Object.assign(new Console(process.stderr, process.stderr), quiet);
