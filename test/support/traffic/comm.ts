/** The name that the kernel has for a program of this Node.js: since version 26 it names its main thread itself. */
import { execFileSync } from 'node:child_process';

const PROGRAM = "process.stdout.write(require('fs').readFileSync('/proc/self/comm', 'utf8').trim())";

export const NODE_COMM = execFileSync(process.execPath, ['--eval', PROGRAM], { encoding: 'utf8' });
