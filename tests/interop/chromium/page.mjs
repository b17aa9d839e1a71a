// page.mjs: what runs inside the browser. Each function is sent there as text, so all it knows of
// this file is `window.interop`, which start() makes, or flow().

/** Makes a connection with eight negotiated channels that send back what they receive. */
export function start(channelCount) {
  const BUFFERED_MAX = 1 << 20; // beyond it, what is to be echoed waits here, not in the browser
  const connection = new RTCPeerConnection();
  const state = { connection, opened: 0, echoed: [], closed: false, openCount: channelCount };

  function add(id) {
    const channel = connection.createDataChannel(`channel-${id}`, { negotiated: true, id });
    const waiting = [];

    function sendWaiting() {
      while (waiting.length && channel.readyState === "open") {
        if (channel.bufferedAmount > BUFFERED_MAX) return;
        const data = waiting.shift();
        channel.send(data);
        state.echoed[id] += data.byteLength;
      }
    }

    state.echoed[id] = 0;
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = BUFFERED_MAX / 2;
    channel.onbufferedamountlow = sendWaiting;
    channel.onopen = () => state.opened++;
    channel.onclose = () => {
      state.openCount--;
      state.closed = state.openCount === 0;
    };
    channel.onmessage = ({ data }) => {
      waiting.push(typeof data === "string" ? new TextEncoder().encode(data) : data);
      sendWaiting();
    };
  }

  for (let id = 0; id < channelCount; id++) add(id);
  window.interop = state;
}

/** Makes a connection with one negotiated channel that sends all it can, or takes what comes. */
export function flow({ id, sends }) {
  const PIECE = new Uint8Array(65536);
  const BUFFERED_MAX = 4 << 20;
  const connection = new RTCPeerConnection();
  const channel = connection.createDataChannel("flow", { negotiated: true, id });
  const state = { connection, bytes: 0, first: 0, last: 0, closed: false };

  function sendMore() {
    while (channel.readyState === "open" && channel.bufferedAmount < BUFFERED_MAX)
      channel.send(PIECE);
  }

  channel.binaryType = "arraybuffer";
  channel.bufferedAmountLowThreshold = BUFFERED_MAX / 2;
  if (sends) channel.onopen = channel.onbufferedamountlow = sendMore;
  channel.onclose = () => (state.closed = true);
  channel.onmessage = ({ data }) => {
    state.last = performance.now();
    state.first ||= state.last;
    state.bytes += data.byteLength;
  };
  window.interop = state;
}

export function hasBegun() {
  return window.interop.bytes > 0;
}

/** How fast it came, in Mbit/s. */
export function rate() {
  const { bytes, first, last } = window.interop;
  return (bytes * 8) / 1000 / (last - first);
}

/** Our offer, or the answer to theirs, complete with candidates. */
export async function describe(offerSdp) {
  const { connection } = window.interop;
  const complete = new Promise((resolve) => {
    connection.onicegatheringstatechange = () =>
      connection.iceGatheringState === "complete" && resolve();
  });
  if (offerSdp) await connection.setRemoteDescription({ type: "offer", sdp: offerSdp });
  await connection.setLocalDescription();
  await complete;
  return connection.localDescription.sdp;
}

export async function accept(answerSdp) {
  await window.interop.connection.setRemoteDescription({ type: "answer", sdp: answerSdp });
}

export function isClosed() {
  return window.interop.closed;
}

/** The result line, and for whoever looks into a failure what the browser thinks of it. */
export function result() {
  const { connection, opened, echoed, closed } = window.interop;
  const transport = connection.sctp?.transport;
  return {
    line: { opened, echoed, closed },
    states: {
      connection: connection.connectionState,
      ice: connection.iceConnectionState,
      dtls: transport?.state,
      sctp: connection.sctp?.state,
    },
  };
}
