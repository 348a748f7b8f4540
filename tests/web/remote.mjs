// Lends a runtime of Node to a test: node tests/web/remote.mjs URL KIND
import { lend } from "./remote.js";

await lend(process.argv[2], process.argv[3]);
