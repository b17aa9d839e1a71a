// driver.mjs: Chromium as the foreign peer of an interop test: echoes on eight channels until it is
// closed.
//
//     node driver.mjs --role offer|answer [--mdns] [--trials NAMES] [--deadline SECONDS]
//         PEER [ARGUMENT...]
//
// The role is the browser's own; PEER gets the other one. PEER is started with pipes: it reads and
// writes descriptions as lines of JSON (docs/protocol.md), which become SDP here and come from it.
// What PEER writes after its description goes on to our output. With --mdns the browser hides its
// addresses behind .local names, as it does by default; otherwise they are plain. --trials turns on
// field trials of the browser, separated by commas. The last line is
// {"opened": channels, "echoed": [bytes of each], "closed": by the peer}. Exit status 0: PEER's
// was, all channels opened, and they were closed by the peer.

import { parseArgs } from "node:util";

import * as page from "./page.mjs";
import { Peer, connect, launch } from "./ends.mjs";

const CHANNELS = 8;
const CLOSE_MS = 10_000; // for the browser to notice the end once the peer is gone

function usage(why) {
  console.error(`driver.mjs: ${why}`);
  console.error(
    "usage: driver.mjs --role offer|answer [--mdns] [--trials T,...] [--deadline S] PEER [ARG...]",
  );
  process.exit(2);
}

/** Our own options end where the peer's command begins. */
function readArguments(argv) {
  let own = 0;
  while (argv[own]?.startsWith("--")) own += argv[own] === "--mdns" ? 1 : 2;
  const options = {
    role: { type: "string" },
    mdns: { type: "boolean", default: false },
    trials: { type: "string", default: "" },
    deadline: { type: "string", default: "90" },
  };
  const { values } = parseArgs({ args: argv.slice(0, own), options });
  if (values.role !== "offer" && values.role !== "answer") usage("--role is offer or answer");
  if (own >= argv.length) usage("the peer's command is missing");
  return { ...values, command: argv.slice(own) };
}

async function meet(options, tab, peer) {
  await tab.evaluate(page.start, CHANNELS);
  await connect(options.role, tab, peer);
  const status = await peer.finish(console.log);
  if (status === 0)
    await tab.waitForFunction(page.isClosed, null, { timeout: CLOSE_MS }).catch(() => {});
  const { line, states } = await tab.evaluate(page.result);
  const passed = status === 0 && line.opened === CHANNELS && line.closed;
  if (!passed) console.error(`driver.mjs: peer's status ${status}, ${JSON.stringify(states)}`);
  console.log(JSON.stringify(line));
  return passed;
}

async function main() {
  const options = readArguments(process.argv.slice(2));
  const browser = await launch(options);
  const peer = new Peer(options.command);
  const deadline = setTimeout(() => {
    console.error(`driver.mjs: not done after ${options.deadline} s`);
    peer.child.kill(); // its end lets meet() go on to the result
  }, Number(options.deadline) * 1000);
  let passed = false;
  try {
    passed = await meet(options, await browser.newPage(), peer);
  } finally {
    clearTimeout(deadline);
    peer.child.kill();
    await browser.close();
  }
  return passed;
}

main()
  .then((passed) => process.exit(passed ? 0 : 1))
  .catch((error) => {
    console.error(`driver.mjs: ${error.message}`);
    process.exit(1);
  });
