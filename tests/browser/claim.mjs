// Does the claim page do in a real browser what the server's stories assume?
//
//   node claim.mjs <scenario>   with {base, code, pin, wrong_pin?, report?: {token, number}} as JSON on stdin
import { Failure, Visit, expect, perform } from './visit.mjs';

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

// A tab on the claim page.
class Claiming extends Visit {
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
}

// The way people type: small letters, o for 0, l for 1, blanks between.
function loosely(code) {
  const small = code.replaceAll('-', '').toLowerCase().replaceAll('0', 'o').replaceAll('1', 'l');
  return `${small.slice(0, 4)} ${small.slice(4, 8)} ${small.slice(8)}`;
}

await perform(scenarios, Claiming);
