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

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

import { chromium } from "playwright-core";

import * as page from "./page.mjs";
import { jsonFromSdp, sdpFromJson } from "./sdp.mjs";

const CHANNELS = 8;
const CLOSE_MS = 10_000; // for the browser to notice the end once the peer is gone
const BROWSER = process.env.CHROMIUM ?? "/usr/bin/chromium";
const ARGUMENTS = [
  "--no-sandbox", // the tests' namespaces leave it none to work with
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

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

/** The peer as a process whose output is read line by line. */
class Peer {
  constructor([program, ...rest]) {
    this.child = spawn(program, rest, { stdio: ["pipe", "pipe", "inherit"] });
    this.child.stdin.on("error", () => {}); // it has ended: hear() or finish() will say so
    this.exit = once(this.child, "exit").then(([code]) => code);
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async hear() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error("the peer ended without a description");
    return sdpFromJson(JSON.parse(value));
  }

  tell(sdp) {
    this.child.stdin.end(JSON.stringify(jsonFromSdp(sdp)) + "\n");
  }

  /** Passes on what else it says; its exit status. */
  async finish() {
    for await (const line of this.lines) console.log(line);
    return this.exit;
  }
}

async function connect(role, tab, peer) {
  if (role === "offer") {
    peer.tell(await tab.evaluate(page.describe));
    await tab.evaluate(page.accept, await peer.hear());
  } else {
    peer.tell(await tab.evaluate(page.describe, await peer.hear()));
  }
}

async function meet(options, tab, peer) {
  await tab.evaluate(page.start, CHANNELS);
  await connect(options.role, tab, peer);
  const status = await peer.finish();
  if (status === 0)
    await tab.waitForFunction(page.isClosed, null, { timeout: CLOSE_MS }).catch(() => {});
  const { line, states } = await tab.evaluate(page.result);
  const passed = status === 0 && line.opened === CHANNELS && line.closed;
  if (!passed) console.error(`driver.mjs: peer's status ${status}, ${JSON.stringify(states)}`);
  console.log(JSON.stringify(line));
  return passed;
}

function launch(options) {
  const plain = options.mdns ? [] : ["--disable-features=WebRtcHideLocalIpsWithMdns"];
  const names = options.trials.split(",").filter(Boolean);
  const trials = names.map((name) => `${name}/Enabled/`).join("");
  return chromium.launch({
    executablePath: BROWSER,
    headless: true,
    args: [...ARGUMENTS, ...plain, ...(trials ? [`--force-fieldtrials=${trials}`] : [])],
  });
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
