/**
 * Tellings as of a real service, made up: `node fixture.js live|still [minutes]` prints them as a JSON list.
 *
 * The same seed gives the same tellings. They keep to the contract of `telling.rs`, and have what is hard to draw: markup and long
 * words in texts, faults that do not heal, trials that fail, hours of answers.
 */
import { pathToFileURL } from 'node:url';

/** @param {number} seed */
function random(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

const SECOND = 1e6;
const UNIT = 'buggy_server.service';
const BOUNDS = { detect_usec: 2_100_000, kill_usec: 2_000_000, restart_usec: 250_000, start_usec: 10_000_000, recovery_usec: 14_350_000 };
const TEXT = `[Unit]
Description=An HTTP server that hangs

[Service]
Type=notify
ExecStart=/usr/bin/sd-watchdog --http http://127.0.0.1:8080/healthz -- /usr/bin/buggy_server --listen 127.0.0.1:8080
WatchdogSec=5s
Restart=always
RestartSec=0
TimeoutAbortSec=2s

[Install]
WantedBy=multi-user.target
`;

const FAULTS = [
  ['deadlock', 'inside', 'Two threads each wait for a lock that the other holds.', 'Seen by the watchdog, killed and restarted.'],
  ['mute', 'inside', 'Accepts connections and never answers.', 'Seen by the watchdog, killed and restarted.'],
  ['accept-stall', 'inside', 'No connection is accepted any more.', 'Seen by the watchdog, killed and restarted.'],
  ['spin', 'inside', 'Every worker computes, for ever.', 'Seen by the watchdog, killed and restarted.'],
  ['crash', 'inside', 'The process aborts.', 'systemd restarts it at once; no watchdog is needed.'],
  ['error', 'inside', 'Each answer is a 500.', 'Seen by the watchdog, killed and restarted.'],
  ['slow', 'inside', 'Answers come 300 ms late.', 'Nothing: slow is not hung.'],
  ['memory-leak', 'inside', 'Memory is taken and not given back, until MemoryMax= ends it.', 'The kernel ends it, systemd restarts it.'],
  ['sigstop', 'outside', 'SIGSTOP: the process is there, and does not run.', 'Seen by the watchdog, killed and restarted.'],
  ['port-drop', 'outside', 'What comes to its port is dropped, by a rule.', 'Seen by the watchdog; a restart does not help until it is healed.'],
  ['loss', 'outside', 'One packet in five is lost.', 'Nothing: some requests take longer.'],
  ['kill-watchdog', 'outside', 'SIGKILL to sd-watchdog itself.', 'systemd’s own timer, WatchdogSec, is the safety net.'],
  ['disk-full', 'outside', 'Its disk is full.', 'Nothing: it logs, and goes on.'],
];

class Teller {
  /** @param {number} seed */
  constructor(seed) {
    /** @type {any[]} */
    this.all = [];
    this.chance = random(seed);
    this.pid = 412;
    this.restarts = 0;
    this.started = 0;
  }

  /** @param {number} at @param {string} kind @param {any} more */
  tell(at, kind, more) {
    this.all.push({ at: Math.round(at), kind, ...more });
  }

  /** @param {number} at @param {string} word @param {string} says @param {any} [more] */
  state(at, word, says, more) {
    this.tell(at, 'state', { word, since: Math.round(at), restarts: this.restarts, says, status: 'healthy, 0 of 3 probes failed, p99 1.4 ms', pid: this.pid, started: this.started, ...more });
  }

  /** @param {number} at @param {string} key @param {any} event @param {string} label @param {string} source @param {string} [message] */
  event(at, key, event, label, source, message) {
    const fields = { PRIORITY: '6', UNIT, _PID: source === 'systemd' ? '1' : String(this.pid), _COMM: source, INVOCATION_ID: 'b2d1c0c2a2b94b1f8a3e6f0f5d2c1e77' };
    this.tell(at, 'event', { case: key, event, label, source, ...(message ? { journal: { message, fields } } : {}) });
  }

  /** Clients' answers, 20 a second. @param {number} from @param {number} to @param {(at: number) => [number, number]} of */
  answers(from, to, of) {
    /** @type {[number, number, number][]} */
    let batch = [];
    for (let at = from; at < to; at += SECOND / 20) {
      const [latency, outcome] = of(at);
      batch.push([Math.round(at), latency, outcome]);
      if (batch.length === 20) {
        this.tell(at + 1000, 'answers', { answers: batch, reasons: ['no answer within 1 s', 'connection refused'] });
        batch = [];
      }
    }
    if (batch.length) this.tell(to, 'answers', { answers: batch, reasons: ['no answer within 1 s', 'connection refused'] });
  }

  good() {
    const latency = 380 + 260 * this.chance() ** 2 + (this.chance() < 0.01 ? 20_000 * this.chance() : 0);
    return /** @type {[number, number]} */ ([Math.round(latency), 0]);
  }

  /**
   * One fault and its recovery.
   * @param {number} at @param {string} fault @param {string} key @param {number} trial @param {string} scenario @param {string} [verdict]
   */
  episode(at, fault, key, trial, scenario, verdict) {
    const jitter = () => this.chance();
    const crash = fault === 'crash';
    const detect = crash ? 900 + jitter() * 2000 : 1.45e6 + jitter() * 600_000;
    const kill = crash ? 0 : 3000 + jitter() * (jitter() < 0.1 ? 2e6 : 30_000);
    const restart = 20_000 + jitter() * 240_000;
    const start = 60_000 + jitter() * 120_000;
    const times = { detect: at + detect, kill: at + detect + kill, restart: at + detect + kill + restart, start: at + detect + kill + restart + start };
    const named = `${key}/0`;
    const part = (/** @type {string} */ phase, /** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ bound_usec) => ({ phase, from: Math.round(from), to: Math.round(to), ...(bound_usec ? { bound_usec } : {}) });
    const base = { key: named, case: key, scenario, trial, fault, expect: crash ? 'restarted by systemd, within 14.35 s' : 'restarted by the watchdog, within 14.35 s', from: Math.round(at) };
    this.event(at, key, { kind: 'injected', fault }, `injected ${fault}`, 'hangproof');
    this.tell(at, 'fault', { key: named, fault, from: Math.round(at) });
    this.tell(at, 'episode', { ...base, over: false, phases: [], running: 'detect', running_from: Math.round(at) });
    if (!crash) {
      this.state(at + 60_000, 'hung', 'Clients are not served, and systemd thinks that the service is active.', { status: '2 of 3 probes failed: no answer within 500 ms' });
      for (const n of [1, 2, 3]) {
        this.tell(at + (detect * n) / 3.1, 'line', { source: 'sd-watchdog', message: `probe failed (${n} of 3): no answer within 500 ms`, priority: 5, fields: { HANGPROOF_EVENT: 'probe_failed', PRIORITY: '5' } });
      }
      this.event(times.detect - 9000, key, { kind: 'hang_report', reason: 'no answer' }, 'hang report: all workers wait for a lock', 'sd-watchdog', 'hang report: 8 of 9 threads wait in futex_wait_queue: <script>alert("a lock that is never given back")</script>');
      this.tell(times.detect - 8000, 'report', {
        key: `r${Math.round(at)}`, case: key, pid: this.pid,
        summary: 'All 8 workers wait for a lock (futex), nobody computes: this looks like a deadlock.',
        lines: ['buggy_server[412]: 9 threads, 8 of them in futex_wait_queue', '  listening on 127.0.0.1:8080, 12 connections wait to be accepted', '  pressure: cpu 0.0 %, memory 0.0 %, io 0.0 %', '  last probes: 0.5 ms, 0.4 ms, timeout, timeout, timeout'],
        threads: [
          { tid: 412, name: 'buggy_server', state: 'S', where: 'ep_poll', means: 'waits for events, as it should' },
          { count: 8, name: 'worker', state: 'S', where: 'futex_wait_queue', means: 'wait for a lock that another thread holds' },
          { tid: 419, name: 'a-thread-with-a-very-long-name-of-all-the-things-it-does', state: 'R', where: '–', means: 'runs' },
        ],
      });
      this.event(times.detect, key, { kind: 'watchdog_trigger' }, 'Watchdog request', 'systemd', `${UNIT}: Watchdog request (last status: 3 of 3 probes failed: no answer within 500 ms)!`);
      this.state(times.detect, 'killed', 'systemd has noticed, and ends the process.');
      this.event(times.detect + 400, key, { kind: 'killed', pid: this.pid, signal: 'SIGABRT' }, `killed pid ${this.pid} with SIGABRT`, 'systemd', `${UNIT}: Killing process ${this.pid} (buggy_server) with signal SIGABRT.`);
    }
    this.event(times.kill, key, { kind: 'exited', signal: 'SIGABRT' }, 'exited by SIGABRT', 'systemd', `${UNIT}: Main process exited, code=dumped, status=6/ABRT`);
    this.event(times.kill + 300, key, { kind: 'failed', result: crash ? 'core-dump' : 'watchdog' }, `failed, result ${crash ? 'core-dump' : 'watchdog'}`, 'systemd', `${UNIT}: Failed with result 'watchdog'.`);
    this.restarts += 1;
    this.state(times.kill, 'restarting', 'The process is gone; systemd will start it again.', { pid: undefined, started: undefined });
    this.event(times.restart - 800, key, { kind: 'restart_scheduled', restarts: this.restarts }, `restart scheduled, number ${this.restarts}`, 'systemd', `${UNIT}: Scheduled restart job, restart counter is at ${this.restarts}.`);
    this.event(times.restart, key, { kind: 'starting' }, 'starting', 'systemd', `Starting ${UNIT} - An HTTP server that hangs...`);
    this.pid += 37;
    this.started = Math.round(times.restart);
    this.state(times.restart, 'starting', 'The service is being started.');
    this.tell(times.restart + 20_000, 'line', { source: 'service', message: 'listening on 127.0.0.1:8080', priority: 6 });
    this.event(times.start, key, { kind: 'ready' }, 'ready', 'systemd', `Started ${UNIT} - An HTTP server that hangs.`);
    this.state(times.start, 'healthy', 'Clients are served.');
    this.tell(times.start, 'fault', { key: named, fault, from: Math.round(at), to: Math.round(crash ? times.kill : times.kill) });
    const outage = part('outage', at - 30_000, times.start + 45_000, 0);
    const phases = [part('detect', at, times.detect, crash ? 0 : BOUNDS.detect_usec), ...(crash ? [] : [part('kill', times.detect, times.kill, BOUNDS.kill_usec)]), part('restart', times.kill, times.restart, BOUNDS.restart_usec), part('start', times.restart, times.start, BOUNDS.start_usec), part('recovery', at, times.start, BOUNDS.recovery_usec), outage];
    const ruling = { pass: { word: 'pass', reasons: [], summary: 'restarted by the watchdog' }, fail: { word: 'fail', reasons: [`detect took ${(detect / 1e6).toFixed(3)} s, and may take 1.5 s`, 'the outage of 2.4 s is longer than the 2 s that were allowed by the scenario'] }, unsound: { word: 'unsound', reasons: ['the observer was 320 ms late'] } };
    this.tell(times.start + 60_000, 'episode', { ...base, over: true, phases, failed_requests: Math.round((outage.to - outage.from) / 50_000), verdict: /** @type {any} */ (ruling)[verdict ?? 'pass'] });
    return { from: outage.from, to: outage.to, phases };
  }

  /** @param {any[]} episodes @returns {any} */
  history(episodes) {
    const groups = [];
    for (const fault of new Set(episodes.map((one) => one.fault))) {
      const of = episodes.filter((one) => one.fault === fault);
      for (const phase of ['detect', 'kill', 'restart', 'start', 'recovery', 'outage']) {
        const parts = of.map((one) => one.phases.find((/** @type {any} */ part) => part.phase === phase)).filter(Boolean);
        if (!parts.length) continue;
        const values = parts.map((part) => part.to - part.from);
        const sorted = [...values].sort((a, b) => a - b);
        const at = (/** @type {number} */ q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
        groups.push({
          fault, phase, n: values.length, of: of.length, min_usec: sorted[0], p50_usec: at(0.5), max_usec: sorted.at(-1), values: values.slice(-200),
          ...(values.length > 5 ? { p50_interval: [at(0.3), at(0.7)] } : {}), ...(values.length > 28 ? { p90_usec: at(0.9) } : {}),
          ...(parts[0].bound_usec ? { bound_usec: parts[0].bound_usec } : {}),
          ...(phase === 'recovery' ? { recovered: { of: of.length, n: values.length, interval: [0.05 ** (1 / values.length), 1] } } : {}),
        });
      }
    }
    return { groups };
  }

  /** In order, numbered. */
  finished() {
    return this.all.map((one, index) => ({ one, index })).sort((a, b) => a.one.at - b.one.at || a.index - b.index).map(({ one }, index) => ({ id: index + 1, ...one }));
  }
}

const SCENE = { title: 'A service that hangs, and comes back', unit: UNIT, description: 'An HTTP server that hangs', backend: 'namespace', systemd: '257', version: 'hangproof 0.1.0' };
const FILES = [{ path: `/etc/systemd/system/${UNIT}`, text: TEXT }, { path: `/etc/systemd/system/${UNIT}.d/50-hangproof.conf`, text: '[Service]\nEnvironment="BUGS=<b>none</b>"' }];

/**
 * A live page's: one machine, a fault now and then.
 * @param {number} minutes
 * @param {number} [seed]
 */
export function live(minutes, seed = 7) {
  const teller = new Teller(seed);
  const begin = 8_000 * SECOND;
  const end = begin + minutes * 60 * SECOND;
  teller.started = begin - 40 * SECOND;
  teller.tell(begin, 'scene', { live: true, ...SCENE, machine: 'hangproof-demo', wall_usec: 1_790_000_000 * SECOND, url: 'http://localhost:8080/' });
  teller.tell(begin, 'unit', { case: 'demo', scenario: '', files: FILES });
  teller.tell(begin, 'settings', { watchdog_usec: 5 * SECOND, on_hang: 'trigger', guarded: true, restart: 'always', bounds: BOUNDS });
  teller.state(begin, 'healthy', 'Clients are served.');
  /** @type {any[]} */
  const episodes = [];
  const names = ['deadlock', 'mute', 'crash', 'accept-stall', 'spin'];
  const holes = [];
  for (let at = begin + 12 * SECOND, n = 0; at < end - 8 * SECOND; at += (18 + teller.chance() * 26) * SECOND, n += 1) {
    const fault = names[Math.floor(teller.chance() * names.length)];
    const hole = teller.episode(at, fault, `demo-${n}`, n + 1, 'demo');
    holes.push(hole);
    episodes.push({ fault, phases: hole.phases });
  }
  let next = 0;
  teller.answers(begin, end, (at) => {
    while (holes[next] && holes[next].to < at) next += 1;
    const hole = holes[next];
    return hole && at > hole.from + 20_000 && at < hole.to ? (hole.to - at > 300_000 ? [1_000_000, 1] : [180, 2]) : teller.good();
  });
  teller.tell(end, 'history', teller.history(episodes));
  teller.tell(end, 'controls', { watchdog: true, on_hang: 'trigger', watchdog_usec: 5 * SECOND, active: [], faults: FAULTS.map(([name, where, says, expect]) => ({ name, where, says, expect, heals: true, available: name !== 'loss', ...(name === 'loss' ? { why_not: 'This kernel has no netem.' } : {}) })) });
  return teller.finished();
}

/**
 * A report's: scenarios of several trials each.
 * @param {number} trials
 * @param {number} [seed]
 */
export function still(trials, seed = 11) {
  const teller = new Teller(seed);
  const begin = 500 * SECOND;
  teller.tell(begin, 'scene', { live: false, ...SCENE, title: 'hangproof run deadlock crash mute', command: `hangproof run deadlock crash mute --trials ${trials} --report report.html`, wall_usec: 1_790_000_000 * SECOND });
  /** @type {any[]} */
  const episodes = [];
  const all = teller.all;
  const chunks = [];
  for (const scenario of ['deadlock', 'crash', 'mute']) {
    for (let trial = 1; trial <= trials; trial += 1) {
      teller.all = [];
      const at = begin + trial * 9 * SECOND;
      const key = `${scenario}-${trial}`;
      const verdict = scenario === 'mute' && trial % 7 === 3 ? 'fail' : trial === 5 && scenario === 'deadlock' ? 'unsound' : 'pass';
      teller.started = at - 3 * SECOND;
      const first = { case: key };
      teller.tell(at - 2 * SECOND, 'event', { ...first, event: { kind: 'ready' }, label: 'ready', source: 'systemd' });
      if (trial === 1) teller.tell(at - 2 * SECOND, 'unit', { ...first, scenario, files: FILES });
      teller.tell(at - 2 * SECOND, 'settings', { watchdog_usec: 5 * SECOND, on_hang: 'trigger', guarded: true, restart: 'always', bounds: BOUNDS });
      teller.state(at - 2 * SECOND, 'healthy', 'Clients are served.');
      const hole = teller.episode(at, scenario, key, trial, scenario, verdict);
      teller.answers(at - 2 * SECOND, hole.to + 2 * SECOND, (time) => (time > hole.from + 20_000 && time < hole.to ? [1_000_000, 1] : teller.good()));
      episodes.push({ fault: scenario, phases: hole.phases });
      chunks.push(teller.all.sort((a, b) => a.at - b.at));
    }
  }
  teller.all = [...all, ...chunks.flat()];
  const run = (/** @type {any} */ more) => ({ question: 'Does the service come back?', systemd: '257', backend: 'namespace', sound: trials, of: trials, passed: trials, verdict: 'pass', slowest_usec: 2_413_021, ...more });
  const end = begin + 9000 * SECOND;
  teller.tell(end, 'run', run({ scenario: 'deadlock', question: 'Does a service whose threads wait for each other come back within WatchdogSec?', sound: trials - 1, passed: trials - 1 }));
  teller.tell(end, 'run', run({ scenario: 'crash', question: 'Is a crash mended by systemd alone?', slowest_usec: 402_118 }));
  teller.tell(end, 'run', run({ scenario: 'mute', question: 'Does a service that accepts and never answers come back, even where the question is so long that it has to be put on two lines of the table?', verdict: 'fail', passed: trials - Math.ceil((trials - 2) / 7), replay: 'hangproof replay report.jsonl --case mute-3', evidence: './hangproof-evidence/mute-3', journal: ['buggy_server.service: Watchdog request (last status: 3 of 3 probes failed)!', "buggy_server.service: Failed with result 'watchdog'.", 'Started buggy_server.service.'] }));
  teller.tell(end, 'run', run({ scenario: 'clock-step', question: 'Does a step of the clock trouble it?', verdict: 'skip', skipped: 'The clock of this host is shared with everybody on it.', sound: 0, of: 0, passed: 0, slowest_usec: undefined }));
  teller.tell(end, 'history', teller.history(episodes));
  return teller.all.map((one, index) => ({ id: index + 1, ...one }));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [what, amount] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(what === 'still' ? still(Number(amount ?? 20)) : live(Number(amount ?? 5))));
}
