// The same acknowledgement with Slack's own framework: verify the signature, one Redis script, ack().
import { readFileSync } from 'node:fs';
import bolt from '@slack/bolt';
import { createClient } from 'redis';

const { App, HTTPReceiver, LogLevel } = bolt;
const [signingSecret, redisUrl] = process.argv.slice(2);
const script = readFileSync(new URL('../record.lua', import.meta.url), 'utf8');
const answer = JSON.parse(readFileSync(new URL('../acknowledgement.json', import.meta.url), 'utf8'));

const redis = await createClient({ url: redisUrl }).connect();
const sha = await redis.scriptLoad(script);

const receiver = new HTTPReceiver({ signingSecret, endpoints: '/slack/commands', logLevel: LogLevel.ERROR });
const app = new App({
  receiver,
  logLevel: LogLevel.ERROR,
  authorize: async () => ({ botToken: 'xoxb-bench', botId: 'B0BENCH', botUserId: 'U0BENCH' }),
});
app.command('/tap', async ({ ack, body }) => {
  await redis.evalSha(sha, { keys: [`request:${body.trigger_id}`], arguments: [JSON.stringify(body)] });
  await ack(answer);
});

const server = await app.start({ port: 0, host: '127.0.0.1' });
console.error(`listening address=127.0.0.1:${server.address().port}`);
// Its standard input is its owner.
process.stdin.on('end', () => process.exit(0)).resume();
