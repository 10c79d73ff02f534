// What do the scenarios of all pages share: one tab, its checks, and how a scenario is played?
//
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

// One tab, with the checks that every scenario shares.
export class Visit {
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

  // By keyboard alone: Tab until the control has the focus, then Enter.
  async press(id) {
    for (let step = 0; step < 40; step++) {
      if (await this.page.evaluate(() => document.activeElement.id) === id) return this.page.keyboard.press('Enter');
      await this.page.keyboard.press('Tab');
    }
    throw new Failure(`#${id} cannot be reached by keyboard`);
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

export class Failure extends Error {}

export function expect(fact, otherwise) {
  if (!fact) throw new Failure(otherwise);
}

async function play(scenarios, Tab, scenario, given) {
  const profile = await mkdtemp(join(tmpdir(), 'page-'));
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
    const visit = new Tab(scenario, given, context, context.pages()[0] ?? await context.newPage());
    const seen = await scenarios[scenario](visit);
    expect(visit.complaints.length === 0, visit.complaints.join('; '));
    return { scenario, ...seen, posts: visit.posts, axe_states: visit.axe };
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  }
}

// Plays the scenario that the command line names: prints one line of JSON with what was seen; exit code 1 and a sentence on
// stderr when an expectation fails.
export async function perform(scenarios, Tab = Visit) {
  const scenario = process.argv[2];
  if (!Object.hasOwn(scenarios, scenario ?? '')) {
    console.error(`usage: node PAGE.mjs ${Object.keys(scenarios).join('|')}   (JSON on stdin)`);
    process.exit(1);
  }
  try {
    const given = JSON.parse(await text(process.stdin));
    console.log(JSON.stringify(await play(scenarios, Tab, scenario, { ...given, base: given.base.replace(/\/$/, '') })));
  } catch (error) {
    console.error(`${scenario}: ${error instanceof Failure ? error.message : error.stack}`);
    process.exitCode = 1;
  }
}
