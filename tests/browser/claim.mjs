// Does the claim page do in a real browser what the server's stories assume?
//
//   node claim.mjs <scenario>   with {base, code, pin, wrong_pin?, report?: {token, number}} as JSON on stdin
//
// Prints one line of JSON with what was seen; exit code 1 and a sentence on stderr when an expectation fails.
// CHROMIUM is the browser to drive, SCREENSHOTS a folder to leave pictures in.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const PATIENCE = 20_000;

const scenarios = {
  async claim(visit) {
    await visit.open(`/c#${visit.given.code}`);
    await visit.focusIs('pin');
    expect(visit.page.url() === `${visit.given.base}/c`, 'the code stayed in the address');
    await visit.accessible('form');
    const passcode = await visit.claim();
    const shown = await visit.answered('/c/shown');
    expect(shown === 204, `/c/shown was answered with ${shown}`);
    await visit.accessible('pass');

    const selected = await visit.page.evaluate(() => {
      getSelection().selectAllChildren(document.getElementById('passcode'));
      return getSelection().toString();
    });
    expect(selected === passcode, 'selecting the passcode yields something else');
    await visit.page.keyboard.press('Control+c');
    expect(await visit.paste() === passcode, 'copying the selected passcode yields something else');
    await visit.press('copy');
    await visit.page.locator('#clear').waitFor();
    expect(await visit.paste() === passcode, 'the Copy button yields something else');
    await visit.press('clear');
    await visit.page.locator('#clear').waitFor({ state: 'hidden' });
    expect((await visit.paste()).trim() === '', 'the clipboard was not cleared');

    await visit.page.locator('summary').press('Enter');
    const spelled = await visit.page.locator('#spell li').count();
    expect(spelled === [...passcode].length, `${spelled} characters are spelled out`);
    await visit.accessible('spelled');
    await visit.press('hide');
    await visit.expectGone(passcode, 'after Hide');
    await visit.accessible('hidden');
    await visit.press('hide');
    expect(await visit.passcode() === passcode, '"Show again" shows something else');

    await visit.press('not-me');
    await visit.page.locator('#message').waitFor();
    await visit.focusIs('head');
    await visit.accessible('confirm');
    await visit.page.locator('#buttons button').last().press('Enter');
    await visit.press('done');
    await visit.page.locator('#message').waitFor();
    await visit.expectGone(passcode, 'after wiping');
    await visit.accessible('wiped');
    return { passcode };
  },

  async typed(visit) {
    const { code, pin } = visit.given;
    await visit.open('/c');
    await visit.focusIs('code');
    await visit.page.keyboard.type(code.slice(0, 12));
    await visit.page.keyboard.press('Enter');
    await visit.refused('code');
    await visit.accessible('short code');
    await visit.page.keyboard.type(loosely(code));
    await visit.page.keyboard.press('Tab');
    await visit.page.keyboard.type(pin.slice(0, 7));
    await visit.page.keyboard.press('Enter');
    await visit.refused('pin');
    expect(visit.posts.length === 0, 'something malformed was sent');
    return { passcode: await visit.claim(`${pin.slice(0, 4)} ${pin.slice(4, 6)}-${pin.slice(6)} `) };
  },

  async percent23(visit) {
    await visit.open(`/c%23${visit.given.code}`);
    expect(visit.page.url() === `${visit.given.base}/c`, 'the code stayed in the address');
    return { passcode: await visit.claim() };
  },

  async back(visit) {
    await visit.open(`/c#${visit.given.code}`);
    const passcode = await visit.claim();
    await visit.answered('/c/shown');
    await visit.page.goto('data:text/html,<title>elsewhere</title>');
    await visit.page.goBack({ waitUntil: 'commit' });
    await visit.page.locator('h1:visible').waitFor();
    await visit.expectGone(passcode, 'after coming back');
    await visit.expectGone(visit.given.code, 'after coming back');
    const restored = await visit.page.locator('#message').isVisible();
    if (!restored) {
      // This browser did not keep the page, so play a browser that does.
      await visit.page.locator('#code').fill(visit.given.code);
      await visit.page.evaluate(() => {
        dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }));
        dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
      });
    }
    await visit.expectGone(visit.given.code, 'after a restore from the cache');
    await visit.focusIs('head');
    await visit.accessible('left');
    await visit.page.locator('#buttons button').press('Enter');
    await visit.page.locator('#form').waitFor();
    return { restored_from_cache: restored };
  },

  async scanner(visit) {
    const { base, code, report } = visit.given;
    const bodies = [];
    for (const path of ['/c', '/c', `/c%23${code}`]) {
      bodies.push(await (await visit.context.request.get(base + path)).text());
    }
    expect(new Set(bodies).size === 1, 'the page is not the same bytes for everybody');
    await visit.open(`/c#${code}`);
    await visit.pressEverything();
    await visit.open(`/c%23${code}`);
    await visit.pressEverything();
    if (report) {
      await visit.open(`/c#report=${report.token}`);
      await visit.pressEverything();
    }
    const others = visit.posts.filter(path => path !== '/c/status');
    expect(others.length === 0, `a scanner's clicks sent ${others.join(', ')}`);
    return { status_requests: visit.posts.length };
  },

  async zoom(visit) {
    const { code, wrong_pin, report } = visit.given;
    if (report) {
      await visit.open(`/c#report=${report.token}`);
      await visit.fits('report');
    }
    await visit.open(`/c#${code}`);
    await visit.fits('form');
    await visit.page.locator('#code').fill('U'.repeat(13));
    await visit.page.locator('#code').press('Enter');
    await visit.fits('error');
    await visit.page.locator('#code').fill(code);
    if (wrong_pin) {
      await visit.send(wrong_pin);
      await visit.page.locator('#pin-error').waitFor();
      await visit.fits('wrong');
    }
    await visit.claim();
    await visit.page.locator('summary').click();
    await visit.fits('pass');
    await visit.page.locator('#not-me').click();
    await visit.fits('confirm');
    return {};
  },

  async wrong(visit) {
    expect(visit.given.wrong_pin, 'the scenario "wrong" needs wrong_pin');
    await visit.open(`/c#${visit.given.code}`);
    await visit.send(visit.given.wrong_pin);
    await visit.refused('pin');
    const said = await visit.page.locator('#pin-error').innerText();
    const [tries] = /\d+/.exec(said) ?? [];
    expect(tries, `the error does not tell the tries left: ${said}`);
    expect(await visit.page.locator('#alarm').textContent() === said, 'the error is not announced');
    await visit.accessible('wrong');
    return { tries_left: Number(tries) };
  },

  async evaluation(visit) {
    const { code, pin } = visit.given;
    await visit.open(`/c#${code}`);
    await visit.send(pin);
    await visit.page.locator('#message').waitFor();
    const said = await visit.page.locator('main').innerText();
    expect(said.includes('This was an evaluation') && said.includes('no pass was made'), `the page says: ${said}`);
    expect(!await visit.page.locator('#pass').isVisible(), 'the page shows a pass');
    expect(await visit.answered('/c/shown') === 204, 'the page did not go on');
    await visit.expectGone(code, 'after the evaluation');
    await visit.accessible('evaluated');
    return {};
  },

  async report(visit) {
    expect(visit.given.report, 'the scenario "report" needs report: {token, number}');
    const { token, number } = visit.given.report;
    await visit.open(`/c%23report=${token}`);
    expect(visit.page.url() === `${visit.given.base}/c`, 'the token stayed in the address');
    await visit.page.locator('#report').waitFor();
    await visit.accessible('report');
    await visit.page.locator('#number').press('Enter');
    await visit.refused('number');
    expect(visit.posts.length === 0, 'a report without a number was sent');
    await visit.page.keyboard.type(String((Number(number) + 1) % 100).padStart(2, '0'));
    await visit.page.keyboard.press('Enter');
    await visit.answered('/c/report');
    await visit.refused('number');
    const [tries] = /\d+/.exec(await visit.page.locator('#number-error').innerText()) ?? [];
    expect(tries, 'the error does not tell the tries left');
    await visit.accessible('wrong number');
    await visit.page.keyboard.type(number);
    await visit.page.keyboard.press('Enter');
    await visit.page.locator('#message').waitFor();
    await visit.expectGone(token, 'after the report');
    await visit.accessible('reported');
    return { tries_left: Number(tries) };
  },
};

// One tab on the page, with the checks that every scenario shares.
class Visit {
  posts = [];
  complaints = [];
  axe = 0;
  pictures = 0;

  constructor(scenario, given, context, page) {
    Object.assign(this, { scenario, given, context, page });
    page.setDefaultTimeout(PATIENCE);
    page.on('dialog', dialog => dialog.accept());
    page.on('pageerror', error => this.complaints.push(`the script threw ${error.message}`));
    page.on('console', line => {
      if (/Content.Security.Policy|Trusted/i.test(line.text())) this.complaints.push(line.text());
    });
    page.on('request', request => {
      if (request.method() === 'POST') this.posts.push(new URL(request.url()).pathname);
    });
    this.answers = new Map();
    page.on('response', response => {
      if (response.request().method() === 'POST') this.answers.set(new URL(response.url()).pathname, response.status());
    });
  }

  // Always through another page: only the fragment differs, and that alone would not load anything.
  async open(path) {
    await this.page.goto('about:blank');
    await this.page.goto(this.given.base + path);
    await this.page.locator('h1:visible').waitFor();
  }

  async send(pin) {
    await this.page.locator('#pin').focus();
    await this.page.keyboard.press('Control+a');
    await this.page.keyboard.type(pin);
    await this.page.keyboard.press('Enter');
  }

  async claim(pin = this.given.pin) {
    await this.send(pin);
    await this.page.locator('#pass').waitFor().catch(async () => {
      throw new Failure(`no passcode came; the page says: ${await this.page.locator('main').innerText()}`);
    });
    return this.passcode();
  }

  async passcode() {
    const passcode = await this.page.locator('#passcode').textContent();
    expect(/^\S{4,}$/.test(passcode), 'the passcode is empty or has blanks in it');
    return passcode;
  }

  // By keyboard alone: Tab until the control has the focus, then Enter.
  async press(id) {
    for (let step = 0; step < 40; step++) {
      if (await this.page.evaluate(() => document.activeElement.id) === id) return this.page.keyboard.press('Enter');
      await this.page.keyboard.press('Tab');
    }
    throw new Failure(`#${id} cannot be reached by keyboard`);
  }

  async paste() {
    const pad = await this.context.newPage();
    await pad.setContent('<textarea></textarea>');
    await pad.locator('textarea').focus();
    await pad.keyboard.press('Control+v');
    const pasted = await pad.locator('textarea').inputValue();
    await pad.close();
    await this.page.bringToFront();
    return pasted;
  }

  async answered(path) {
    for (const end = Date.now() + PATIENCE; Date.now() < end;) {
      if (this.answers.has(path)) return this.answers.get(path);
      await this.page.waitForTimeout(25);
    }
    throw new Failure(`${path} was not sent, or not answered`);
  }

  async focusIs(id) {
    const focused = await this.page.evaluate(() => document.activeElement.id);
    expect(focused === id, `the focus is on "${focused}" instead of "${id}"`);
  }

  async refused(field) {
    await this.page.locator(`#${field}-error`).waitFor();
    expect(await this.page.locator(`#${field}`).getAttribute('aria-invalid') === 'true', `#${field} is not marked as invalid`);
    await this.focusIs(field);
  }

  async expectGone(secret, when) {
    const left = await this.page.evaluate(() => [
      document.documentElement.outerHTML, document.body.textContent, ...Array.from(document.querySelectorAll('input'), input => input.value),
    ].join('\n'));
    expect(!left.replaceAll('-', '').includes(secret.replaceAll('-', '')), `a secret is still in the page ${when}`);
  }

  // What a mail gateway's robot does, hidden controls included.
  async pressEverything() {
    for (let round = 0; round < 4; round++) {
      await this.page.evaluate(() => {
        for (const button of document.querySelectorAll('button')) button.click();
        for (const form of document.querySelectorAll('form')) form.requestSubmit();
      });
      await this.page.waitForTimeout(100);
    }
  }

  async accessible(state) {
    const { violations } = await this.page.evaluate(() => globalThis.axe ? globalThis.axe.run() : { violations: null });
    if (violations === null) throw new Failure('axe-core did not load');
    const told = violations.map(found => `${found.id} (${found.nodes.map(node => node.target).join(' ')})`);
    expect(told.length === 0, `axe-core objects in state "${state}": ${told.join('; ')}`);
    this.axe++;
    await this.picture(state);
  }

  async fits(state) {
    for (const lang of ['de', 'fr', 'es', 'en']) {
      await this.page.locator(`#languages [lang=${lang}]`).click();
      const [content, window] = await this.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      expect(content <= window, `state "${state}" (${lang}) is ${content} px wide in a window of ${window} px`);
      await this.picture(`${state}-${lang}`);
    }
  }

  async picture(state) {
    if (!process.env.SCREENSHOTS) return;
    const name = `${this.scenario}-${++this.pictures}-${state.replaceAll(' ', '-')}.png`;
    await this.page.screenshot({ path: join(process.env.SCREENSHOTS, name), fullPage: true });
  }
}

class Failure extends Error {}

function expect(fact, otherwise) {
  if (!fact) throw new Failure(otherwise);
}

// The way people type: small letters, o for 0, l for 1, blanks between.
function loosely(code) {
  const small = code.replaceAll('-', '').toLowerCase().replaceAll('0', 'o').replaceAll('1', 'l');
  return `${small.slice(0, 4)} ${small.slice(4, 8)} ${small.slice(8)}`;
}

async function play(scenario, given) {
  const profile = await mkdtemp(join(tmpdir(), 'claim-page-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: FLAGS,
    // The way back out of the browser's cache is what the scenario "back" is about.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
    viewport: scenario === 'zoom' ? { width: 320, height: 256 } : { width: 1280, height: 900 },
    ignoreHTTPSErrors: true,
    locale: 'en-GB',
  });
  try {
    // Before the page's own policy applies, which forbids foreign script.
    await context.addInitScript({ content: await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8') });
    const visit = new Visit(scenario, given, context, context.pages()[0] ?? await context.newPage());
    const seen = await scenarios[scenario](visit);
    expect(visit.complaints.length === 0, visit.complaints.join('; '));
    return { scenario, ...seen, posts: visit.posts, axe_states: visit.axe };
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  }
}

const scenario = process.argv[2];
if (!Object.hasOwn(scenarios, scenario ?? '')) {
  console.error(`usage: node claim.mjs ${Object.keys(scenarios).join('|')}   (JSON on stdin)`);
  process.exit(1);
}
try {
  const given = JSON.parse(await text(process.stdin));
  console.log(JSON.stringify(await play(scenario, { ...given, base: given.base.replace(/\/$/, '') })));
} catch (error) {
  console.error(`${scenario}: ${error instanceof Failure ? error.message : error.stack}`);
  process.exitCode = 1;
}
