// Does the page for people without chat do in a real browser what the server's stories assume?
//
//   node ask.mjs <scenario>   with {base, user, reason} as JSON on stdin
import { Visit, expect, perform } from './visit.mjs';

const scenarios = {
  async ask(visit) {
    const { user, reason } = visit.given;
    await visit.open('/ask');
    await visit.focusIs('user');
    await visit.accessible('form');
    await visit.page.keyboard.type(user.split('@')[0]);
    await visit.page.keyboard.press('Enter');
    await visit.refused('user');
    await visit.accessible('no user name');
    await visit.page.keyboard.type(user);
    await visit.page.keyboard.press('Tab');
    await visit.page.keyboard.type('help');
    await visit.page.keyboard.press('Enter');
    await visit.refused('reason');
    await visit.accessible('no reason');
    expect(visit.posts.length === 0, 'something malformed was sent');
    await visit.page.keyboard.type(reason);
    await visit.page.keyboard.press('Enter');
    const number = await visit.number();
    expect(await visit.answered('/ask') === 200, 'the number is not the server\'s');
    await visit.focusIs('asked-head');
    const said = await visit.page.locator('#status').textContent();
    expect(said === number, `a screen reader hears "${said}" instead of the number`);
    const text = await visit.page.locator('main').innerText();
    for (const part of [user, 'only the first number counts', 'phone your help desk']) {
      expect(text.includes(part), `the page does not say "${part}": ${text}`);
    }
    await visit.accessible('asked');
    await visit.press('mistyped');
    await visit.focusIs('user');
    expect(await visit.page.locator('#user').inputValue() === user, 'the user name has to be typed again');
    await visit.expectGone(`>${number}<`, 'after going back');
    expect(visit.posts.length === 1, 'going back asked again');
    return { number };
  },

  async scanner(visit) {
    const bodies = [];
    for (const path of ['/ask', '/ask', `/ask?user=${visit.given.user}`]) {
      bodies.push(await (await visit.context.request.get(visit.given.base + path)).text());
    }
    expect(new Set(bodies).size === 1, 'the page is not the same bytes for everybody');
    await visit.open(`/ask?user=${visit.given.user}`);
    await visit.pressEverything();
    expect(visit.posts.length === 0, `a scanner's clicks sent ${visit.posts.join(', ')}`);
    expect((await visit.context.cookies()).length === 0, 'the page sets a cookie');
    return {};
  },

  async zoom(visit) {
    const { user, reason } = visit.given;
    await visit.open('/ask');
    await visit.fits('form');
    await visit.page.locator('#user').press('Enter');
    await visit.fits('error');
    await visit.page.locator('#user').fill(user);
    await visit.page.locator('#reason').fill(reason);
    await visit.page.locator('#reason').press('Enter');
    const number = await visit.number();
    await visit.fits('asked');
    return { number };
  },

  async offline(visit) {
    await visit.open('/ask');
    await visit.page.locator('#user').fill(visit.given.user);
    await visit.page.locator('#reason').fill(visit.given.reason);
    await visit.context.setOffline(true);
    await visit.page.locator('#reason').press('Enter');
    await visit.page.locator('#message').waitFor();
    await visit.focusIs('head');
    const text = await visit.page.locator('main').innerText();
    expect(text.includes('Nothing was asked yet'), `the page does not say that nothing was asked: ${text}`);
    await visit.accessible('offline');
    await visit.context.setOffline(false);
    await visit.page.locator('#buttons button').first().press('Enter');
    return { number: await visit.number() };
  },
};

// A tab on the page.
class Asking extends Visit {
  async number() {
    await this.page.locator('#asked').waitFor();
    const number = await this.page.locator('#digits').textContent();
    expect(/^[0-9]{2}$/.test(number), `the number is "${number}"`);
    return number;
  }
}

await perform(scenarios, Asking);
