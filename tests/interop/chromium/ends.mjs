// ends.mjs: the two ends of a meeting: a browser, and our peer (tests/interop/peer.c) as a process.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

import * as page from "./page.mjs";
import { jsonFromSdp, sdpFromJson } from "./sdp.mjs";

const BROWSER = process.env.CHROMIUM ?? "/usr/bin/chromium";
const ARGUMENTS = [
  "--no-sandbox", // the tests' namespaces leave it none to work with
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The browser, with its addresses hidden (mdns) or not, and with these field trials on. */
export function launch({ mdns = false, trials = "" } = {}) {
  const plain = mdns ? [] : ["--disable-features=WebRtcHideLocalIpsWithMdns"];
  const names = trials.split(",").filter(Boolean);
  const enabled = names.map((name) => `${name}/Enabled/`).join("");
  return chromium.launch({
    executablePath: BROWSER,
    headless: true,
    args: [...ARGUMENTS, ...plain, ...(enabled ? [`--force-fieldtrials=${enabled}`] : [])],
  });
}

/** The peer as a process whose output is read line by line. */
export class Peer {
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

  /** Hands on each further line; its exit status. */
  async finish(say) {
    for await (const line of this.lines) say(line);
    return this.exit;
  }
}

/** Role: the browser's. The tab has what page.start() or page.flow() makes. */
export async function connect(role, tab, peer) {
  if (role === "offer") {
    peer.tell(await tab.evaluate(page.describe));
    await tab.evaluate(page.accept, await peer.hear());
  } else {
    peer.tell(await tab.evaluate(page.describe, await peer.hear()));
  }
}
