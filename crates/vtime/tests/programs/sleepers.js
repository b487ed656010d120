// Every kind of timed wait of Node.js, each for an hour; prints what sleepers.c prints.
const { Worker, isMainThread, workerData, parentPort } = require('worker_threads');
const promises = require('timers/promises');
const { writeSync } = require('fs');
const say = (text) => writeSync(1, text + '\n');
const now = () => process.hrtime.bigint();

const waits = {
  setTimeout: (ms) => new Promise((done) => setTimeout(done, ms)),
  setInterval: (ms) => new Promise((done) => { const t = setInterval(() => { clearInterval(t); done(); }, ms); }),
  promise: (ms) => promises.setTimeout(ms),
  abort: (ms) => new Promise((done) => AbortSignal.timeout(ms).addEventListener('abort', done)),
};
const inWorkers = {
  atomics: (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
  worker: (ms) => new Promise((done) => setTimeout(done, ms)),
};

if (!isMainThread) {
  parentPort.postMessage('begun');
  const t = now();
  Promise.resolve(inWorkers[workerData.name](workerData.ms)).then(() => parentPort.postMessage(String(now() - t)));
} else {
  const all = async (ms, begun, done) => {
    const starts = [];
    const inWorker = (name) => new Promise((end) => {
      const worker = new Worker(__filename, { workerData: { name, ms } });
      starts.push(new Promise((start) => worker.on('message', (m) => (m === 'begun' ? start() : (done(name, m), end())))));
    });
    const here = async (name) => { const t = now(); await waits[name](ms); done(name, now() - t); };
    // Timers of the main thread keep the process alive only while something else does: an interval of a day.
    const alive = setInterval(() => {}, 86400000);
    const running = [...Object.keys(waits).map(here), ...Object.keys(inWorkers).map(inWorker)];
    await Promise.all(starts);
    begun();
    await Promise.all(running);
    clearInterval(alive);
  };
  const wall = BigInt(Date.now()) * 1000000n, mono = now();
  (async () => {
    await all(3600000, () => say(`ready ${wall} ${mono}`), (name) => say(`fired ${name}`));
    say(`done ${BigInt(Date.now()) * 1000000n} ${now()}`);
    await all(200, () => {}, (name, ns) => say(`after ${name} ${ns}`));
  })();
}
