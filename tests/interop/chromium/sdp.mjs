// sdp.mjs: a description as JSON (docs/protocol.md) from and to the SDP of one data m-line.

const SCTP_PORT = 5000;
const OPTIONS = ["trickle", "sped"]; // renomination is not asked of browsers, nor believed

const urlFromBase64 = (text) => text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const base64FromUrl = (text) =>
  text.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat((4 - (text.length % 4)) % 4);

/** Chromium has two names for DTLS in checks. */
function iceOptions(options) {
  const named = options.filter(isOurs);
  return named.includes("sped") ? [...named, "googspedv1"] : named;
}

const isOurs = (option) => OPTIONS.includes(option);

/** The description in an SDP. Firefox puts fingerprint and options above the m-line; both count. */
export function jsonFromSdp(sdp) {
  const found = { candidates: [], options: [] };
  for (const line of sdp.split(/\r?\n/)) {
    const [, key, value] = line.match(/^a=([a-z-]+):(.*)$/) ?? [];
    if (key === "ice-ufrag") found.ufrag = value;
    else if (key === "ice-pwd") found.pwd = value;
    else if (key === "setup") found.setup = value;
    else if (key === "ice-options") found.options = value.split(" ").filter(isOurs);
    else if (key === "sctp-init") found.sctp_init = urlFromBase64(value);
    else if (key === "candidate") found.candidates.push("candidate:" + value);
    else if (key === "fingerprint" && /^sha-256 /i.test(value))
      found.fingerprint = "sha-256 " + value.split(" ")[1].toUpperCase();
  }
  return found;
}

/** An SDP that says what the description does, with all candidates. */
export function sdpFromJson(description) {
  const options = iceOptions(description.options ?? []);
  const lines = [
    "v=0",
    "o=- 1 1 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    "a=mid:0",
    `a=ice-ufrag:${description.ufrag}`,
    `a=ice-pwd:${description.pwd}`,
    `a=fingerprint:${description.fingerprint}`,
    `a=setup:${description.setup}`,
    `a=sctp-port:${SCTP_PORT}`,
    "a=max-message-size:262144",
    ...(options.length ? [`a=ice-options:${options.join(" ")}`] : []),
    ...(description.sctp_init ? [`a=sctp-init:${base64FromUrl(description.sctp_init)}`] : []),
    ...description.candidates.map((candidate) => `a=${candidate}`),
    "a=end-of-candidates",
  ];
  return lines.join("\r\n") + "\r\n";
}
