// Runs the WebAssembly program that is its argument, on its own standard streams.
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";
import process from "node:process";

const wasi = new WASI({ version: "preview1", args: ["network"] });
const module = await WebAssembly.compile(await readFile(process.argv[2]));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
