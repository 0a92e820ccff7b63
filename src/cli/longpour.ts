#!/usr/bin/env bun
/** `longpour`: the command line of the package. */
import { runProgram } from "./command.ts";
import { createProgram } from "./program.ts";

await runProgram(createProgram);
