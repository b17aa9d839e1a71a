// speed.mjs: how fast one channel is between Chromium and our peer, or between two of its pages.
//
//     node speed.mjs --way download|upload|browsers [--seconds S] [PEER]
//
// A download is what the browser takes from PEER, an upload what it sends there; the receiving end
// counts. Messages of the browser's have 64 KiB, with which it is fastest. The last line is
// {"way", "mbit_s"}.

import { parseArgs } from "node:util";

import * as page from "./page.mjs";
import { Peer, connect, launch } from "./ends.mjs";

const CHANNEL = 5;
const WAYS = ["download", "upload", "browsers"];

function readArguments() {
  const { values, positionals } = parseArgs({
    options: { way: { type: "string" }, seconds: { type: "string", default: "3" } },
    allowPositionals: true,
  });
  const seconds = Number(values.seconds);
  const peers = values.way === "browsers" ? 0 : 1;
  if (!WAYS.includes(values.way) || !(seconds > 0) || positionals.length !== peers) {
    console.error("usage: speed.mjs --way download|upload|browsers [--seconds S] [PEER]");
    process.exit(2);
  }
  return { way: values.way, seconds, program: positionals[0] };
}

async function openPage(browser, sends) {
  const tab = await browser.newPage();
  await tab.evaluate(page.flow, { id: CHANNEL, sends });
  return tab;
}

async function betweenPages(browser, seconds) {
  const from = await openPage(browser, true);
  const to = await openPage(browser, false);
  const answer = await to.evaluate(page.describe, await from.evaluate(page.describe));
  await from.evaluate(page.accept, answer);
  await to.waitForFunction(page.hasBegun);
  await to.waitForTimeout(seconds * 1000);
  return to.evaluate(page.rate);
}

async function withPeer(browser, { way, seconds, program }) {
  const isDownload = way === "download";
  const task = [isDownload ? "--give" : "--take", "--seconds", String(seconds)];
  const peer = new Peer([program, "--answer", ...task]);
  const tab = await openPage(browser, !isDownload);
  try {
    await connect("offer", tab, peer);
    let last = "nothing said";
    const status = await peer.finish((line) => (last = line));
    if (status !== 0) throw new Error(`the peer failed: ${last}`);
    return isDownload ? await tab.evaluate(page.rate) : JSON.parse(last).mbit_s;
  } finally {
    peer.child.kill();
  }
}

async function main() {
  const options = readArguments();
  const browser = await launch();
  try {
    const rate = await (options.way === "browsers"
      ? betweenPages(browser, options.seconds)
      : withPeer(browser, options));
    if (!Number.isFinite(rate)) throw new Error("nothing came");
    console.log(JSON.stringify({ way: options.way, mbit_s: Math.round(rate * 10) / 10 }));
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(`speed.mjs: ${error.message}`);
  process.exit(1);
});
