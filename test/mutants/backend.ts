import type { Mutant } from './mutant.ts';

export const backendMutants: readonly Mutant[] = [
  {
    name: 'the reaper ends an attempt that was overdue before it waited for a lock, even if it was renewed meanwhile',
    file: 'schema/transitions/reap_attempts.sql',
    find: 'elsif a.lease_expires_at < clock_timestamp() then',
    replace: 'elsif true then',
    tests: ['test/functions/lock-order.test.ts'],
  },
  {
    name: 'a claim waits for an entry of the queue that another transaction holds',
    file: 'schema/transitions/pick_ready.sql',
    find: `limit p_limit
        for update of q skip locked`,
    replace: `limit p_limit
        for update of q`,
    tests: ['test/functions/lock-order.test.ts'],
  },
  {
    name: 'completing and claiming locks the tasks before the row of the worker',
    file: 'schema/transitions/complete_and_claim.sql',
    find: `  if v_is_claiming then
    perform 1
    from workers w
    where w.worker_id = any (p_workers) and w.organization_id = p_organization
      and p_claims[array_position(p_workers, w.worker_id)] is not null
    order by w.worker_id
    for no key update;
  end if;
  if p_subtasks <> '{}' then
    select c.locked, c.completed, c.events into v_locked, v_completed, v_events
    from complete_subtasks(p_organization, p_workers, p_request_ids, p_places, p_subtasks, p_tokens, p_attempts, p_results, p_bytes,
      p_artifacts, p_usages, p_hashes) c;
  end if;`,
    replace: `  if p_subtasks <> '{}' then
    select c.locked, c.completed, c.events into v_locked, v_completed, v_events
    from complete_subtasks(p_organization, p_workers, p_request_ids, p_places, p_subtasks, p_tokens, p_attempts, p_results, p_bytes,
      p_artifacts, p_usages, p_hashes) c;
  end if;
  if v_is_claiming then
    perform 1
    from workers w
    where w.worker_id = any (p_workers) and w.organization_id = p_organization
      and p_claims[array_position(p_workers, w.worker_id)] is not null
    order by w.worker_id
    for no key update;
  end if;`,
    tests: ['test/functions/lock-order.test.ts'],
  },
  {
    name: 'when one message fails a batch, each message is retried with all others',
    file: 'functions/queue/consume.ts',
    find: 'work([each])',
    replace: 'work(good)',
    tests: ['test/functions/live/failing-messages.test.ts'],
  },
  {
    name: 'only unreadable messages become dead letters at once; those that cannot be handled are delivered again until SQS moves them',
    file: 'functions/queue/consume.ts',
    find: 'if (receives < QUEUE_LIMITS.last_receive || ctx.queues === null) return false;',
    replace: 'if (receives < QUEUE_LIMITS.last_receive || ctx.queues === null || message !== undefined) return false;',
    tests: ['test/functions/live/failing-messages.test.ts'],
  },
  {
    name: 'a failing message becomes a dead letter one receive too late, after SQS has already moved it',
    file: 'schema/queue.ts',
    find: 'const LAST_RECEIVE = 4;',
    replace: 'const LAST_RECEIVE = 5;',
    tests: ['test/functions/live/failing-messages.test.ts'],
  },
  {
    name: 'a message that cannot be moved to the dead letters counts as handled',
    file: 'functions/queue/consume.ts',
    find: '() => false,',
    replace: '() => true,',
    tests: ['test/functions/live/failing-messages.test.ts'],
  },
  {
    name: 'a message is delivered again while the database is unavailable, and becomes a dead letter',
    file: 'functions/queue/consume.ts',
    find: 'if (ctx.isUnavailable(error)) return true;',
    replace: '',
    tests: ['test/functions/live/failing-messages.test.ts'],
  },
  {
    name: 'a message is delivered again while the database is unavailable, until SQS moves it',
    file: 'functions/queue/consume.ts',
    find: 'if (ctx.isUnavailable(error)) return true;',
    replace: 'if (ctx.isUnavailable(error)) return false;',
    tests: ['test/functions/live/failing-messages.test.ts'],
  },
  {
    name: 'an upload is confirmed by its size alone',
    file: 'functions/domain/artifacts/artifacts.ts',
    find: 'stored.sha256 !== artifact.sha256 || ',
    replace: '',
    tests: ['test/functions/artifacts.test.ts'],
  },
  {
    name: 'a dead letter is deleted before it is sent back',
    file: 'functions/platform/dead-letters.ts',
    find: 'await client.send(new SendMessageCommand({ QueueUrl: urls[queue], MessageBody: Body }));',
    replace:
      'await client.send(new DeleteMessageCommand({ QueueUrl: deadUrls[queue], ReceiptHandle })); await client.send(new SendMessageCommand({ QueueUrl: urls[queue], MessageBody: Body }));',
    tests: ['test/functions/platform/dead-letters.test.ts'],
  },
  {
    name: 'a dead letter is deleted although it could not be sent back',
    file: 'functions/platform/dead-letters.ts',
    find: 'MessageBody: Body }));',
    replace: 'MessageBody: Body })).catch(() => {});',
    tests: ['test/functions/platform/dead-letters.test.ts'],
  },
  {
    name: 'a socket is given the events before it is subscribed',
    file: 'functions/domain/live/sockets.ts',
    find: `  await enlist(ctx, owner, connectionId, [topic]);
  const last = after_seq === undefined || taskOf(topic) === null ? null : await replay(ctx, owner, connectionId, topic, after_seq);`,
    replace: `  const last = after_seq === undefined || taskOf(topic) === null ? null : await replay(ctx, owner, connectionId, topic, after_seq);
  await enlist(ctx, owner, connectionId, [topic]);`,
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'a subtask that waits for its retry is announced at once, before it may be claimed',
    file: 'functions/domain/outbox/outbox.ts',
    find: '...(delay_ms > 0 ?',
    replace: '...(delay_ms < 0 ?',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'subtasks that the reaper made ready are not announced',
    file: 'functions/domain/maintenance/maintenance.ts',
    find: '(await commitStatement(ctx, end)).count',
    replace: '(await end(ctx.sql)).count',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'subtasks that a failed attempt made ready are not announced',
    file: 'functions/domain/attempts/attempts.ts',
    find: 'await commitStatement(ctx, (sql) => rows.failSubtask(sql, worker, ending));',
    replace: 'await rows.failSubtask(ctx.sql, worker, ending);',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'the tick skips its work while outbox rows wait',
    file: 'functions/domain/live/live.sql.ts',
    find: `not exists (select from outbox)
      and `,
    replace: '',
    tests: ['test/functions/live/idle.test.ts'],
  },
  {
    name: 'a change is accepted for a version that does not exist yet (task)',
    file: 'functions/domain/tasks/tasks.ts',
    find: 'if (task.version !== version)',
    replace: 'if (task.version > version)',
    tests: ['test/functions/http/system.test.ts'],
  },
  {
    name: 'a change is accepted for a version that does not exist yet (worker)',
    file: 'functions/domain/workers/workers.sql.ts',
    find: 'and version = ${version}',
    replace: 'and version <= ${version}',
    tests: ['test/functions/http/system.test.ts'],
  },
  {
    name: 'an older event number makes an outdated cached task valid again',
    file: 'functions/platform/hints/task-cache.ts',
    find: '{ gt: true }, ',
    replace: '',
    tests: ['test/functions/live/hints.test.ts'],
  },
  {
    name: 'idempotency keys expire an hour too early',
    file: 'functions/domain/maintenance/maintenance.sql.ts',
    find: "interval '24 hours'",
    replace: "interval '23 hours'",
    tests: ['test/functions/maintenance.test.ts'],
  },
  {
    name: 'a repeated completion is accepted with any lease token',
    file: 'schema/transitions/check_fence.sql',
    find: ' or a.lease_token <> p_token',
    replace: '',
    tests: ['test/functions/engine.test.ts'],
  },
  {
    name: 'a search compares the words of each task instead of using the index',
    file: 'schema/transitions/find_tasks.sql',
    find: 'where d.terms @@ v_words offset 0',
    replace: "where d.terms || ''::tsvector @@ v_words offset 0",
    tests: ['test/functions/search-plan.test.ts'],
  },
  {
    name: 'a transaction that a deadlock aborted is not retried',
    file: 'functions/domain/transact.ts',
    find: `new Set(['40001', '40P01'])`,
    replace: `new Set(['40001'])`,
    tests: ['test/functions/transact.test.ts'],
  },
  {
    name: 'a transaction that a deadlock aborted is retried without limit',
    file: 'functions/domain/transact.ts',
    find: 'attempt >= TRIES || ',
    replace: '',
    tests: ['test/functions/transact.test.ts'],
  },
  {
    name: 'an idempotency key is shared by all keys of an organization',
    file: 'functions/domain/idempotency.sql.ts',
    find: `from idempotency_keys
    where organization_id = \${caller.organization_id} and principal_id = \${caller.principal_id} and`,
    replace: `from idempotency_keys
    where organization_id = \${caller.organization_id} and`,
    tests: ['test/functions/http/idempotency.test.ts'],
  },
  {
    name: 'the response for an idempotency key is stored for all callers that used the key',
    file: 'functions/domain/idempotency.sql.ts',
    find: `set response = \${json(response)}
  where organization_id = \${caller.organization_id} and principal_id = \${caller.principal_id} and`,
    replace: `set response = \${json(response)}
  where organization_id = \${caller.organization_id} and`,
    tests: ['test/functions/http/idempotency.test.ts'],
  },
  {
    name: 'an idempotency key is valid for another operation',
    file: 'functions/domain/idempotency.ts',
    find: 'stored.operation !== request?.operation',
    replace: 'request === null',
    tests: ['test/functions/http/idempotency.test.ts'],
  },
  {
    name: 'If-Match is not part of the request that an idempotency key identifies',
    file: 'functions/http/endpoint.ts',
    find: `if_match: headers['if-match'] ?? null`,
    replace: 'if_match: null',
    tests: ['test/functions/http/idempotency.test.ts'],
  },
  {
    name: 'a page that is exactly full has a next_cursor',
    file: 'functions/domain/page.ts',
    find: 'rows.length > limit ||',
    replace: 'rows.length >= limit ||',
    tests: ['test/functions/pages.test.ts'],
  },
  {
    name: 'the row that makes a page too long is lost',
    file: 'functions/domain/page.sql.ts',
    find: 'where bytes_so_far - bytes <',
    replace: 'where bytes_so_far <',
    tests: ['test/functions/bounds.test.ts'],
  },
  {
    name: 'the next page of tasks starts with the last task of the previous page',
    file: 'functions/domain/tasks/tasks.sql.ts',
    find: 'and (created_at, task_id) < (',
    replace: 'and (created_at, task_id) <= (',
    tests: ['test/functions/pages.test.ts'],
  },
  {
    name: 'the next page of workers omits those that joined at the same time',
    file: 'functions/domain/workers/workers.sql.ts',
    find: 'and (registered_at, worker_id) < (${after.time}::timestamptz, ${after.id})',
    replace: "and registered_at < ${after.time}::timestamptz and ${after.id}::text <> ''",
    tests: ['test/functions/pages.test.ts'],
  },
  {
    name: 'the list of tasks reads no row beyond its limit',
    file: 'functions/domain/tasks/tasks.ts',
    find: 'limit: limit + 1, after',
    replace: 'limit, after',
    tests: ['test/functions/pages.test.ts'],
  },
  {
    name: 'the list of workers reads no row beyond its limit',
    file: 'functions/domain/workers/workers.ts',
    find: 'limit: limit + 1 }',
    replace: 'limit }',
    tests: ['test/functions/pages.test.ts'],
  },
  {
    name: 'the list of API keys reads no row beyond its limit',
    file: 'functions/domain/api-keys/api-keys.ts',
    find: 'limit + 1)',
    replace: 'limit)',
    tests: ['test/functions/http/access.test.ts'],
  },
  {
    name: 'a task of another organization is locked and changed',
    file: 'functions/domain/tasks/tasks.sql.ts',
    find: `where task_id = \${taskId} and organization_id = \${organizationId}
    for no key update\``,
    replace: `where task_id = \${taskId} and \${organizationId}::text <> ''
    for no key update\``,
    tests: ['test/functions/http/access.test.ts'],
  },
  {
    name: 'a task is read for a change without a lock',
    file: 'functions/domain/tasks/tasks.sql.ts',
    find: `
    for no key update\``,
    replace: '`',
    tests: ['test/functions/races.test.ts'],
  },
  {
    name: 'a running task can be deleted',
    file: 'functions/domain/tasks/tasks.ts',
    find: "if (task.ended_at === null) throw new AppError('task_not_ended', `The task is ${task.status}; cancel it",
    replace: "if (task.status === 'pending') throw new AppError('task_not_ended', `The task is ${task.status}; cancel it",
    tests: ['test/functions/engine.test.ts'],
  },
  {
    name: 'a change of priority leaves the waiting subtasks where they are in the queue',
    file: 'functions/domain/tasks/tasks.ts',
    find: 'change.priority !== undefined && change.priority !== task.priority',
    replace: 'change.priority !== undefined && change.priority === task.priority',
    tests: ['test/functions/allocation.test.ts'],
  },
  {
    name: 'a task that is retried stays paused',
    file: 'functions/domain/tasks/tasks.sql.ts',
    find: 'make_interval(secs => timeout_seconds), paused_at = null',
    replace: 'make_interval(secs => timeout_seconds)',
    tests: ['test/functions/state-model.test.ts'],
  },
  {
    name: 'a subtask that is retried keeps the attempts of the previous run',
    file: 'functions/domain/tasks/tasks.sql.ts',
    find: 'attempts = 0, infra_attempts = 0,',
    replace: 'infra_attempts = 0,',
    tests: ['test/functions/retry.test.ts'],
  },
  {
    name: 'a subtask that is retried keeps the lost attempts of the previous run',
    file: 'functions/domain/tasks/tasks.sql.ts',
    find: 'attempts = 0, infra_attempts = 0,',
    replace: 'attempts = 0,',
    tests: ['test/functions/retry.test.ts'],
  },
  {
    name: 'a subtask that depends on a skipped one can be added',
    file: 'functions/domain/tasks/tasks.sql.ts',
    find: `status in ('failed', 'cancelled', 'skipped') as dead`,
    replace: `status in ('failed', 'cancelled') as dead`,
    tests: ['test/functions/engine.test.ts'],
  },
  {
    name: 'an expired enrolment token is accepted',
    file: 'functions/domain/enrolment/enrolment.ts',
    find: 'if (token.expired) throw',
    replace: 'if (token.expired && token.used) throw',
    tests: ['test/functions/enrolment/enrolment.test.ts'],
  },
  {
    name: 'an enrolment token is not locked while it is used',
    file: 'functions/domain/enrolment/enrolment.sql.ts',
    find: `where token_hash = \${hash}
    for no key update\``,
    replace: 'where token_hash = ${hash}`',
    tests: ['test/functions/enrolment/enrolment.test.ts'],
  },
  {
    name: 'a worker that was removed is still listed',
    file: 'functions/domain/workers/workers.sql.ts',
    find: 'from workers where organization_id = ${organizationId} and deleted_at is null) as workers',
    replace: 'from workers where organization_id = ${organizationId}) as workers',
    tests: ['test/functions/enrolment/enrolment.test.ts'],
  },
  {
    name: 'a change of a worker is not announced',
    file: 'functions/domain/workers/workers.ts',
    find: `await rows.writeWorkerMessage(unit.tx, organization_id, workerId);
  unit.recordWorker(`,
    replace: 'unit.recordWorker(',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'a worker gets no new credential when its own is about to expire',
    file: 'functions/domain/attempts/heartbeat.ts',
    find: 'credential: worker.nears_end ?',
    replace: 'credential: !worker.nears_end ?',
    tests: ['test/functions/enrolment/enrolment.test.ts'],
  },
  {
    name: 'tasks are read after their outbox rows were taken',
    file: 'functions/domain/live/broadcast.ts',
    find: `  const tasks = await readTasks(ctx.sql, [...new Set(ranges.map(([taskId]) => taskId))]);
  const events = await takeEvents(
    ctx.sql,
    rows.map((row) => row.outbox_id),
    ranges,
  );`,
    replace: `  const events = await takeEvents(
    ctx.sql,
    rows.map((row) => row.outbox_id),
    ranges,
  );
  const tasks = await readTasks(ctx.sql, [...new Set(ranges.map(([taskId]) => taskId))]);`,
    tests: ['test/functions/live/failing-messages.test.ts'],
  },
  {
    name: 'a ping subscribes to the topic that it names',
    file: 'functions/domain/live/sockets.ts',
    find: 'for (const topic of topics) if (await allowed(ctx, owner, topic)) mine.push(topic);',
    replace: 'for (const topic of topics) mine.push(topic);',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'a worker may follow other workers',
    file: 'functions/domain/live/sockets.ts',
    find: 'return topic === `worker:${owner.id}`;',
    replace: `return topic.startsWith('worker:');`,
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'a ticket opens every socket whose request has read it',
    file: 'functions/platform/sockets.ts',
    find: 'return replies?.[1] === 1 ? parsed(replies[0]) : null;',
    replace: 'return parsed(replies?.[0]);',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'a ticket is valid for five minutes',
    file: 'functions/domain/live/tickets.ts',
    find: 'owner, SECONDS)))',
    replace: 'owner, 10 * SECONDS)))',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'subscriptions of a socket are kept forever',
    file: 'functions/platform/sockets.ts',
    find: `    pipeline.expire(keys.topic(organizationId, topic), SOCKET_SECONDS);
`,
    replace: '',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'a socket whose client does not read is kept',
    file: 'functions/domain/live/push.ts',
    find: `if (outcome === 'slow') await push.close(connectionId);`,
    replace: `if (outcome === 'slow') return;`,
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'a frame may reach the length at which the gateway splits it',
    file: 'functions/domain/live/frames.ts',
    find: 'if (last === undefined || bytes > room) {',
    replace: 'if (last === undefined || bytes > room + LONGEST) {',
    tests: ['test/functions/live/frames.test.ts'],
  },
  {
    name: 'an event that is too long for a frame ends the replay silently',
    file: 'functions/domain/live/frames.ts',
    find: `return [...frames, { type: 'resync', topic, after_seq: event.seq - 1 }];`,
    replace: 'return frames;',
    tests: ['test/functions/live/frames.test.ts'],
  },
  {
    name: 'a reconcile that read only a part treats the rest as wrong',
    file: 'functions/platform/hints/queue.ts',
    find: 'if (!is_whole) return;',
    replace: '',
    tests: ['test/functions/live/hints.test.ts'],
  },
  {
    name: 'a reconcile does not remove what it finds to be wrong',
    file: 'functions/platform/hints/queue.ts',
    find: 'if (wrong.length > 0) pipeline.zrem',
    replace: 'if (wrong.length > 1_000) pipeline.zrem',
    tests: ['test/functions/live/hints.test.ts'],
  },
  {
    name: 'a draining worker gets a doorbell',
    file: 'functions/domain/live/ring.ts',
    find: ` && worker.mode === 'active'`,
    replace: '',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'only as many workers get a doorbell as there are subtasks',
    file: 'functions/domain/live/ring.ts',
    find: 'Math.max(AT_LEAST, wanted.length * FOR_EACH)',
    replace: 'wanted.length',
    tests: ['test/e2e/doorbell.test.ts'],
  },
  {
    name: 'the data of a worker in Redis remains after the worker is removed',
    file: 'functions/platform/hints/presence.ts',
    find: `    pipeline.expire(keys.info(worker_id), PRESENCE_SECONDS);
    addPresent(`,
    replace: '    addPresent(',
    tests: ['test/functions/attempts/heartbeat.test.ts'],
  },
  {
    name: 'the breaker opens one failure too late',
    file: 'functions/platform/breaker.ts',
    find: 'this.#inRow >= this.#failures',
    replace: 'this.#inRow > this.#failures',
    tests: ['test/functions/platform/breaker.test.ts'],
  },
  {
    name: 'the breaker lets all requests through after its pause',
    file: 'functions/platform/breaker.ts',
    find: '(this.#probing || this.#now() < this.#openUntil)',
    replace: 'this.#now() < this.#openUntil',
    tests: ['test/functions/platform/breaker.test.ts'],
  },
  {
    name: 'dead letters stay hidden after a listing that failed halfway',
    file: 'functions/platform/dead-letters.ts',
    find: `} finally {
    await release(client, QueueUrl, found);
  }`,
    replace: `} finally {
    if (found.length >= Math.min(most, visible)) await release(client, QueueUrl, found);
  }`,
    tests: ['test/functions/platform/dead-letters.test.ts'],
  },
  {
    name: 'messages that SQS refused count as sent',
    file: 'functions/platform/queues.ts',
    find: "return Failed.map(({ Id, Code, Message }) => this.#refuse(queue, batch[Number(Id)]?.id ?? '', `${Code}: ${Message}`));",
    replace: `for (const { Id, Code, Message } of Failed) this.#refuse(queue, batch[Number(Id)]?.id ?? '', \`\${Code}: \${Message}\`);
    return [];`,
    tests: ['test/functions/platform/queues.test.ts'],
  },
  {
    name: 'a message that is too long for SQS makes its batch fail',
    file: 'functions/platform/queues.ts',
    find: 'bytes + size <= BATCH_BYTES',
    replace: 'bytes <= BATCH_BYTES',
    tests: ['test/functions/platform/queues.test.ts'],
  },
  {
    name: 'a frame that was refused permanently is sent to a socket again',
    file: 'functions/platform/push.ts',
    find: 'if (!isTransient(cause)) throw cause;',
    replace: '',
    tests: ['test/functions/platform/push.test.ts'],
  },
  {
    name: 'an upload of another length is accepted',
    file: 'functions/platform/blobs.ts',
    find: 'headers, sized: size_bytes }',
    replace: 'headers }',
    tests: ['test/functions/platform/blobs.test.ts'],
  },
  {
    name: 'a credential of a worker is valid for any audience',
    file: 'functions/platform/worker-tokens.ts',
    find: `    audience: AUDIENCE,
`,
    replace: '',
    tests: ['test/functions/platform/worker-tokens.test.ts'],
  },
  {
    name: 'two concurrent migrations do not wait for each other',
    file: 'functions/platform/migrate.sql.ts',
    find: `  await sql\`select pg_advisory_xact_lock(\${LOCK})\`;
`,
    replace: '',
    tests: ['test/local/migrate.test.ts'],
  },
  {
    name: 'a weak ETag is not recognized',
    file: 'functions/http/etag.ts',
    find: ".replace(/^W\\//, '')",
    replace: '',
    tests: ['test/functions/http/system.test.ts'],
  },
  {
    name: 'a key is accepted beyond its scopes',
    file: 'functions/http/authenticate.ts',
    find: 'isCaller(route.access) && !found.scopes',
    replace: `route.method !== 'GET' && isCaller(route.access) && !found.scopes`,
    tests: ['test/functions/http/access.test.ts'],
  },
  {
    name: 'a revoked key is accepted',
    file: 'functions/domain/api-keys/api-keys.sql.ts',
    find: ' and revoked_at is null',
    replace: '',
    tests: ['test/functions/http/access.test.ts'],
  },
  {
    name: 'a worker may act for another one',
    file: 'functions/http/endpoint.ts',
    find: `  checkSelf(principal, parts.params);
`,
    replace: '',
    tests: ['test/functions/http/access.test.ts'],
  },
  {
    name: 'a body is measured in characters',
    file: 'functions/http/body.ts',
    find: 'Buffer.byteLength(text) > LIMITS',
    replace: 'text.length > LIMITS',
    tests: ['test/functions/http/system.test.ts'],
  },
  {
    name: 'a body may be nested one level deeper than the limit',
    file: 'functions/http/body.ts',
    find: 'depth >= LIMITS.json_depth',
    replace: 'depth > LIMITS.json_depth',
    tests: ['test/functions/http/system.test.ts'],
  },
  {
    name: 'dead letters of other organizations are shown',
    file: 'functions/domain/dead-letters/dead-letters.ts',
    find: 'if (organization_id !== caller.organization_id) return [];',
    replace: '',
    tests: ['test/functions/live/outbox.test.ts'],
  },
  {
    name: 'the tick skips its work although a transaction may still be open',
    file: 'functions/schedule/tick.ts',
    find: 'activity.age_ms > SETTLED_MS && ',
    replace: '',
    tests: ['test/functions/live/idle.test.ts'],
  },
  {
    name: 'the tick ignores what was announced while it ran',
    file: 'functions/schedule/tick.ts',
    find: 'await hints.markIdle(activity.generation)',
    replace: `await hints.markIdle((await hints.activity())?.generation ?? '')`,
    tests: ['test/functions/live/idle.test.ts'],
  },
  {
    name: 'the relay stops after its first batch',
    file: 'functions/domain/outbox/relay.ts',
    find: 'if (due.length < BATCH ||',
    replace: 'if (due.length <= BATCH ||',
    tests: ['test/functions/live/outbox.test.ts'],
  },
  {
    name: 'the relay sends again rows that were only just written',
    file: 'schema/transitions/take_due.sql',
    find: 'and available_at <= clock_timestamp()',
    replace: `and available_at <= clock_timestamp() + interval '15 seconds'`,
    tests: ['test/functions/live/outbox.test.ts'],
  },
  {
    name: 'a relay waits for the rows that another one has taken',
    file: 'schema/transitions/take_due.sql',
    find: 'for update skip locked',
    replace: 'for update',
    tests: ['test/functions/outbox.test.ts'],
  },
  {
    name: 'a message with a longer delay than SQS supports is sent too early',
    file: 'functions/domain/outbox/outbox.ts',
    find: 'row.delay_ms <= QUEUE_LIMITS.longest_delay_seconds * 1_000',
    replace: 'row.delay_ms <= QUEUE_LIMITS.longest_delay_seconds * 4_000',
    tests: ['test/functions/live/outbox.test.ts'],
  },
  {
    name: 'no message of a partly refused batch is sent again',
    file: 'functions/domain/outbox/outbox.ts',
    find: '|| failed.has(String(row.outbox_id))',
    replace: '|| failed.has(String(row.topic))',
    tests: ['test/functions/live/outbox.test.ts'],
  },
  {
    name: 'a committed change is not announced when the write to Redis fails',
    file: 'functions/domain/outbox/outbox.ts',
    find: 'await Promise.all([sendOutbox(ctx, outbox), ...(updatesRedis ? [ctx.hints.recordChanges(changes)] : [])]);',
    replace: 'if (!updatesRedis || (await ctx.hints.recordChanges(changes))) await sendOutbox(ctx, outbox);',
    tests: ['test/functions/live/idle.test.ts'],
  },
  {
    name: 'logs are purged a day too early',
    file: 'functions/domain/maintenance/maintenance.sql.ts',
    find: 'make_interval(days => ${days})',
    replace: 'make_interval(days => ${days} - 1)',
    tests: ['test/functions/engine.test.ts'],
  },
  {
    name: 'a purge ends after its first batch',
    file: 'functions/domain/maintenance/maintenance.ts',
    find: 'removed === batch * rows.BATCH',
    replace: 'removed === batch',
    tests: ['test/functions/maintenance.test.ts'],
  },
  {
    name: 'an artifact of another attempt is confirmed',
    file: 'functions/domain/artifacts/artifacts.ts',
    find: ' || artifact.attempt !== fence.attempt',
    replace: '',
    tests: ['test/functions/artifacts.test.ts'],
  },
  {
    name: 'an attempt can announce one file more than the limit',
    file: 'functions/domain/artifacts/artifacts.ts',
    find: '>= PER_ATTEMPT',
    replace: '> PER_ATTEMPT',
    tests: ['test/functions/artifacts.test.ts'],
  },
  {
    name: 'logs are accepted for an attempt that has ended',
    file: 'functions/domain/attempts/logs.ts',
    find: 'if (code !== null) throw refusal(code ===',
    replace: `if (code !== null && code !== 'attempt_ended') throw refusal(code ===`,
    tests: ['test/functions/engine.test.ts'],
  },
  {
    name: 'logs are reported as complete while their attempt runs',
    file: 'functions/domain/attempts/logs.ts',
    find: 'complete: ended && !more',
    replace: 'complete: !more',
    tests: ['test/functions/engine.test.ts'],
  },
  {
    name: 'a health check waits for a database that does not answer',
    file: 'functions/domain/health/health.ts',
    find: 'withTimeout(env.HEALTH_MS, ',
    replace: 'withTimeout(env.HEALTH_MS * 100, ',
    tests: ['test/functions/http/system.test.ts'],
  },
  {
    name: 'queues: a message that its handler reports as failed is deleted',
    file: 'local/queues/handle.ts',
    find: '!failed.has(MessageId)',
    replace: 'failed.has(MessageId) || failed.size >= 0',
    tests: ['test/local/queues.test.ts'],
  },
  {
    name: 'queues: one concurrent call for each message, without a limit',
    file: 'local/queues/poll.ts',
    find: 'this.#running.size >= this.#options.concurrency',
    replace: 'this.#running.size > this.#options.concurrency',
    tests: ['test/local/queues.test.ts'],
  },
  {
    name: 'blobs: a signature for reading permits writing',
    file: 'local/blobs.ts',
    find: 'const wanted = Buffer.from(sign(`${method}\\n${key}\\n${query}`));',
    replace: "const wanted = Buffer.from(sign(`${method === 'PUT' && query.has('name') ? 'GET' : method}\\n${key}\\n${query}`));",
    tests: ['test/local/blobs.test.ts'],
  },
  {
    name: 'blobs: a signed URL never expires',
    file: 'local/blobs.ts',
    find: ` && Number(query.get('expires')) > Date.now()`,
    replace: '',
    tests: ['test/local/blobs.test.ts'],
  },
  {
    name: 'blobs: a refused upload leaves its partial file behind',
    file: 'local/blobs.ts',
    find: 'await rm(part, { force: true });',
    replace: '',
    tests: ['test/local/blobs.test.ts'],
  },
  {
    name: 'scheduler: a job that fails never runs again',
    file: 'local/scheduler.ts',
    find: '.then(() => {}, onError)',
    replace: '.then(() => {}, (error) => { onError(error); throw error; })',
    tests: ['test/local/scheduler.test.ts'],
  },
  {
    name: 'gateway: a body without a declared length may exceed the limit',
    file: 'local/gateway/event.ts',
    find: 'if (length > most) return null;',
    replace: '',
    tests: ['test/local/gateway.test.ts'],
  },
  {
    name: 'sockets: an idle socket is never closed',
    file: 'local/socket-gateway/connection.ts',
    find: `this.#idle = setTimeout(() => this.close(1001, 'Going away'), limits.idleMs);`,
    replace: `this.#idle = setTimeout(() => this.close(1001, 'Going away'), limits.lifeMs);`,
    tests: ['test/local/socket-messages.test.ts'],
  },
  {
    name: 'sockets: frames for a client that does not read are buffered without limit',
    file: 'local/socket-gateway/connection.ts',
    find: `if (this.#socket.bufferedAmount + data.length > this.#limits.bufferBytes) return 'full';`,
    replace: '',
    tests: ['test/local/socket-connections.test.ts'],
  },
  {
    name: 'redis in memory: SET ignores its time to live',
    file: 'local/redis/memory/strings.ts',
    find: 'ttlMs === undefined ? null : store.now() + ttlMs',
    replace: 'null',
    tests: ['test/local/redis/conformance.test.ts'],
  },
  {
    name: 'the tick is not woken for the files of a task that is deleted',
    file: 'functions/http/tasks.ts',
    find: 'tasks.remove(unit, principal, params.task_id), { wakesClock: true })',
    replace: 'tasks.remove(unit, principal, params.task_id))',
    tests: ['test/functions/live/idle.test.ts'],
  },
  {
    name: 'a claim omits the commands that verify the work',
    file: 'schema/transitions/claimed_subtask.sql',
    find: "'verify', s.verify, ",
    replace: '',
    tests: ['test/functions/attempts/claimed-fields.test.ts'],
  },
  {
    name: 'a request wakes the scheduler while its transaction is open',
    file: 'functions/http/endpoint.ts',
    find: `if (wakesClock) await wakeClock(ctx);
    return commit(ctx, (unit) => {`,
    replace: `return commit(ctx, async (unit) => {
      if (wakesClock) await wakeClock(ctx);`,
    tests: ['test/functions/http/effects.test.ts'],
  },
  {
    name: 'Redis still has the data of a removed worker',
    file: 'functions/domain/workers/workers.ts',
    find: 'unit.forgetWorker({ organization_id, worker_id: workerId });',
    replace: '',
    tests: ['test/functions/http/effects.test.ts'],
  },
  {
    name: 'a request with an Idempotency-Key does not announce what it changed',
    file: 'functions/http/endpoint.ts',
    find: 'return commit(ctx, (unit) => {',
    replace: 'return commit(request === null ? ctx : { ...ctx, queues: null }, (unit) => {',
    tests: ['test/functions/http/effects.test.ts'],
  },
];
