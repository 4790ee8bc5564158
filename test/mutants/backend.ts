import type { Mutant } from './mutant.ts';

export const backendMutants: readonly Mutant[] = [
  {
    name: 'the reaper ends what was overdue when it began to wait, renewed or not',
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
    name: 'completing and claiming locks the tasks before the row of its worker',
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
    name: 'where one message spoils a batch, each of its messages is tried with all others',
    file: 'functions/queue/consume.ts',
    find: 'work([each])',
    replace: 'work(good)',
    tests: ['test/functions/live/failing-messages.test.ts'],
  },
  {
    name: 'only what can not be read is set aside, what can not be carried out comes again until SQS moves it',
    file: 'functions/queue/consume.ts',
    find: 'if (receives < QUEUE_LIMITS.last_receive || ctx.queues === null) return false;',
    replace: 'if (receives < QUEUE_LIMITS.last_receive || ctx.queues === null || message !== undefined) return false;',
    tests: ['test/functions/live/failing-messages.test.ts'],
  },
  {
    name: 'what fails is set aside one receive too late, when SQS has moved it already',
    file: 'schema/queue.ts',
    find: 'const LAST_RECEIVE = 4;',
    replace: 'const LAST_RECEIVE = 5;',
    tests: ['test/functions/live/failing-messages.test.ts'],
  },
  {
    name: 'what can not be set aside counts as done',
    file: 'functions/queue/consume.ts',
    find: '() => false,',
    replace: '() => true,',
    tests: ['test/functions/live/failing-messages.test.ts'],
  },
  {
    name: 'a message comes again while the database is away, and becomes a dead letter',
    file: 'functions/queue/consume.ts',
    find: 'if (ctx.isUnavailable(error)) return true;',
    replace: '',
    tests: ['test/functions/live/failing-messages.test.ts'],
  },
  {
    name: 'a message comes again while the database is away, until SQS moves it',
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
    name: 'a dead letter is deleted though it could not be sent back',
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
    name: 'a subtask that waits before its next try is announced at once, when nobody may claim it yet',
    file: 'functions/domain/outbox/outbox.ts',
    find: '...(delay_ms > 0 ?',
    replace: '...(delay_ms < 0 ?',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'what the reaper gave back is not announced',
    file: 'functions/domain/maintenance/maintenance.ts',
    find: '(await commitStatement(ctx, end)).count',
    replace: '(await end(ctx.sql)).count',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'what a failed attempt gave back is not announced',
    file: 'functions/domain/attempts/attempts.ts',
    find: 'await commitStatement(ctx, (sql) => rows.failSubtask(sql, worker, ending));',
    replace: 'await rows.failSubtask(ctx.sql, worker, ending);',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'the tick rests while something waits to leave the outbox',
    file: 'functions/domain/live/live.sql.ts',
    find: `not exists (select from outbox)
      and `,
    replace: '',
    tests: ['test/functions/live/idle.test.ts'],
  },
  {
    name: 'a change is taken for a version that does not exist yet (task)',
    file: 'functions/domain/tasks/tasks.ts',
    find: 'if (task.version !== version)',
    replace: 'if (task.version > version)',
    tests: ['test/functions/http/system.test.ts'],
  },
  {
    name: 'a change is taken for a version that does not exist yet (worker)',
    file: 'functions/domain/workers/workers.sql.ts',
    find: 'and version = ${version}',
    replace: 'and version <= ${version}',
    tests: ['test/functions/http/system.test.ts'],
  },
  {
    name: 'an older event number makes an old cached task good again',
    file: 'functions/platform/hints/task-cache.ts',
    find: '{ gt: true }, ',
    replace: '',
    tests: ['test/functions/live/hints.test.ts'],
  },
  {
    name: 'idempotency keys live for an hour less',
    file: 'functions/domain/maintenance/maintenance.sql.ts',
    find: "interval '24 hours'",
    replace: "interval '23 hours'",
    tests: ['test/functions/maintenance.test.ts'],
  },
  {
    name: 'the same completion is good under any lease token',
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
    name: 'what a deadlock ended is not repeated',
    file: 'functions/domain/transact.ts',
    find: `new Set(['40001', '40P01'])`,
    replace: `new Set(['40001'])`,
    tests: ['test/functions/transact.test.ts'],
  },
  {
    name: 'what a deadlock ended is repeated without end',
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
    name: 'the answer for an idempotency key is stored for all who used it',
    file: 'functions/domain/idempotency.sql.ts',
    find: `set response = \${json(response)}
  where organization_id = \${caller.organization_id} and principal_id = \${caller.principal_id} and`,
    replace: `set response = \${json(response)}
  where organization_id = \${caller.organization_id} and`,
    tests: ['test/functions/http/idempotency.test.ts'],
  },
  {
    name: 'an idempotency key is good for another operation',
    file: 'functions/domain/idempotency.ts',
    find: 'stored.operation !== request?.operation',
    replace: 'request === null',
    tests: ['test/functions/http/idempotency.test.ts'],
  },
  {
    name: 'If-Match is no part of what an idempotency key stands for',
    file: 'functions/http/endpoint.ts',
    find: `if_match: headers['if-match'] ?? null`,
    replace: 'if_match: null',
    tests: ['test/functions/http/idempotency.test.ts'],
  },
  {
    name: 'a page that is exactly full names a next one',
    file: 'functions/domain/page.ts',
    find: 'rows.length > limit ||',
    replace: 'rows.length >= limit ||',
    tests: ['test/functions/pages.test.ts'],
  },
  {
    name: 'the row that makes a page too long is left out',
    file: 'functions/domain/page.sql.ts',
    find: 'where bytes_so_far - bytes <',
    replace: 'where bytes_so_far <',
    tests: ['test/functions/bounds.test.ts'],
  },
  {
    name: 'the next page of the tasks begins with the last of the page before',
    file: 'functions/domain/tasks/tasks.sql.ts',
    find: 'and (created_at, task_id) < (',
    replace: 'and (created_at, task_id) <= (',
    tests: ['test/functions/pages.test.ts'],
  },
  {
    name: 'the next page of the workers leaves out those that joined at the same time',
    file: 'functions/domain/workers/workers.sql.ts',
    find: 'and (registered_at, worker_id) < (${after.time}::timestamptz, ${after.id})',
    replace: "and registered_at < ${after.time}::timestamptz and ${after.id}::text <> ''",
    tests: ['test/functions/pages.test.ts'],
  },
  {
    name: 'the list of tasks asks for no row beyond its limit',
    file: 'functions/domain/tasks/tasks.ts',
    find: 'limit: limit + 1, after',
    replace: 'limit, after',
    tests: ['test/functions/pages.test.ts'],
  },
  {
    name: 'the list of workers asks for no row beyond its limit',
    file: 'functions/domain/workers/workers.ts',
    find: 'limit: limit + 1 }',
    replace: 'limit }',
    tests: ['test/functions/pages.test.ts'],
  },
  {
    name: 'the list of API keys asks for no row beyond its limit',
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
    name: 'a task is locked without a lock',
    file: 'functions/domain/tasks/tasks.sql.ts',
    find: `
    for no key update\``,
    replace: '`',
    tests: ['test/functions/races.test.ts'],
  },
  {
    name: 'a task that runs can be deleted',
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
    name: 'a subtask that is retried keeps the tries of the run before',
    file: 'functions/domain/tasks/tasks.sql.ts',
    find: 'attempts = 0, infra_attempts = 0,',
    replace: 'infra_attempts = 0,',
    tests: ['test/functions/retry.test.ts'],
  },
  {
    name: 'a subtask that is retried keeps the losses of the run before',
    file: 'functions/domain/tasks/tasks.sql.ts',
    find: 'attempts = 0, infra_attempts = 0,',
    replace: 'attempts = 0,',
    tests: ['test/functions/retry.test.ts'],
  },
  {
    name: 'a subtask may be added behind one that was skipped',
    file: 'functions/domain/tasks/tasks.sql.ts',
    find: `status in ('failed', 'cancelled', 'skipped') as dead`,
    replace: `status in ('failed', 'cancelled') as dead`,
    tests: ['test/functions/engine.test.ts'],
  },
  {
    name: 'an enrolment token that has expired is good',
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
    name: 'a worker gets no new credential when its own nears its end',
    file: 'functions/domain/attempts/heartbeat.ts',
    find: 'credential: worker.nears_end ?',
    replace: 'credential: !worker.nears_end ?',
    tests: ['test/functions/enrolment/enrolment.test.ts'],
  },
  {
    name: 'tasks are read after their rows of the outbox were taken',
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
    name: 'a ping subscribes to whatever it names',
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
    name: 'a ticket opens each socket whose request has read it',
    file: 'functions/platform/sockets.ts',
    find: 'return replies?.[1] === 1 ? parsed(replies[0]) : null;',
    replace: 'return parsed(replies?.[0]);',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'a ticket is good for five minutes',
    file: 'functions/domain/live/tickets.ts',
    find: 'owner, SECONDS)))',
    replace: 'owner, 10 * SECONDS)))',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'subscriptions of a socket are kept for ever',
    file: 'functions/platform/sockets.ts',
    find: `    pipeline.expire(keys.topic(organizationId, topic), SOCKET_SECONDS);
`,
    replace: '',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'a socket that does not read is kept',
    file: 'functions/domain/live/push.ts',
    find: `if (outcome === 'slow') await push.close(connectionId);`,
    replace: `if (outcome === 'slow') return;`,
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'a frame is as long as the gateway cuts',
    file: 'functions/domain/live/frames.ts',
    find: 'if (last === undefined || bytes > room) {',
    replace: 'if (last === undefined || bytes > room + LONGEST) {',
    tests: ['test/functions/live/frames.test.ts'],
  },
  {
    name: 'an event that is too long for a frame ends the replay without a word',
    file: 'functions/domain/live/frames.ts',
    find: `return [...frames, { type: 'resync', topic, after_seq: event.seq - 1 }];`,
    replace: 'return frames;',
    tests: ['test/functions/live/frames.test.ts'],
  },
  {
    name: 'a reconcile that read only a part takes the rest for wrong',
    file: 'functions/platform/hints/queue.ts',
    find: 'if (!is_whole) return;',
    replace: '',
    tests: ['test/functions/live/hints.test.ts'],
  },
  {
    name: 'what a reconcile finds to be wrong stays',
    file: 'functions/platform/hints/queue.ts',
    find: 'if (wrong.length > 0) pipeline.zrem',
    replace: 'if (wrong.length > 1_000) pipeline.zrem',
    tests: ['test/functions/live/hints.test.ts'],
  },
  {
    name: 'a worker that is draining is rung',
    file: 'functions/domain/live/ring.ts',
    find: ` && worker.mode === 'active'`,
    replace: '',
    tests: ['test/functions/live/sockets.test.ts'],
  },
  {
    name: 'only as many workers are rung as there are subtasks',
    file: 'functions/domain/live/ring.ts',
    find: 'Math.max(AT_LEAST, wanted.length * FOR_EACH)',
    replace: 'wanted.length',
    tests: ['test/e2e/doorbell.test.ts'],
  },
  {
    name: 'what Redis knows of a worker stays when the worker is gone',
    file: 'functions/platform/hints/presence.ts',
    find: `        pipeline.expire(keys.info(worker_id), PRESENCE_SECONDS);
        addPresent(`,
    replace: '        addPresent(',
    tests: ['test/functions/attempts/heartbeat.test.ts'],
  },
  {
    name: 'the breaker opens one failure too late',
    file: 'functions/platform/breaker.ts',
    find: 'inRow >= failures',
    replace: 'inRow > failures',
    tests: ['test/functions/platform/breaker.test.ts'],
  },
  {
    name: 'the breaker lets everything through once it has rested',
    file: 'functions/platform/breaker.ts',
    find: '(probing || now() < openUntil)',
    replace: 'now() < openUntil',
    tests: ['test/functions/platform/breaker.test.ts'],
  },
  {
    name: 'dead letters stay hidden after a list that failed half-way',
    file: 'functions/platform/dead-letters.ts',
    find: `} finally {
      await release(QueueUrl, found);
    }`,
    replace: `} finally {
      if (found.length >= Math.min(most, visible)) await release(QueueUrl, found);
    }`,
    tests: ['test/functions/platform/dead-letters.test.ts'],
  },
  {
    name: 'messages that SQS refused count as sent',
    file: 'functions/platform/queues.ts',
    find: "return Failed.map(({ Id, Code, Message }) => refuse(queue, batch[Number(Id)]?.id ?? '', `${Code}: ${Message}`));",
    replace: `for (const { Id, Code, Message } of Failed) refuse(queue, batch[Number(Id)]?.id ?? '', \`\${Code}: \${Message}\`);
    return [];`,
    tests: ['test/functions/platform/queues.test.ts'],
  },
  {
    name: 'a message that SQS does not take for its length spoils its batch',
    file: 'functions/platform/queues.ts',
    find: 'bytes + size <= BATCH_BYTES',
    replace: 'bytes <= BATCH_BYTES',
    tests: ['test/functions/platform/queues.test.ts'],
  },
  {
    name: 'what is refused for good is sent to a socket again',
    file: 'functions/platform/push.ts',
    find: 'if (!isTransient(cause)) throw cause;',
    replace: '',
    tests: ['test/functions/platform/push.test.ts'],
  },
  {
    name: 'an upload of another length is taken',
    file: 'functions/platform/blobs.ts',
    find: 'headers, sized: size_bytes }',
    replace: 'headers }',
    tests: ['test/functions/platform/blobs.test.ts'],
  },
  {
    name: 'a credential of a worker is good for any audience',
    file: 'functions/platform/worker-tokens.ts',
    find: `    audience: AUDIENCE,
`,
    replace: '',
    tests: ['test/functions/platform/worker-tokens.test.ts'],
  },
  {
    name: 'two migrations at once do not wait for each other',
    file: 'functions/platform/migrate.sql.ts',
    find: `  await sql\`select pg_advisory_xact_lock(\${LOCK})\`;
`,
    replace: '',
    tests: ['test/local/migrate.test.ts'],
  },
  {
    name: 'a weak ETag is not known',
    file: 'functions/http/etag.ts',
    find: ".replace(/^W\\//, '')",
    replace: '',
    tests: ['test/functions/http/system.test.ts'],
  },
  {
    name: 'a key is good for what its scopes do not have',
    file: 'functions/http/authenticate.ts',
    find: 'isCaller(route.access) && !found.scopes',
    replace: `route.method !== 'GET' && isCaller(route.access) && !found.scopes`,
    tests: ['test/functions/http/access.test.ts'],
  },
  {
    name: 'a revoked key is good',
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
    name: 'the tick rests though a transaction may still be under way',
    file: 'functions/schedule/tick.ts',
    find: 'activity.age_ms > SETTLED_MS && ',
    replace: '',
    tests: ['test/functions/live/idle.test.ts'],
  },
  {
    name: 'the tick rests for what was announced while it was under way',
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
    name: 'the relay sends again what was left just now',
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
    name: 'what SQS can not hold back long enough is sent too early',
    file: 'functions/domain/outbox/outbox.ts',
    find: 'row.delay_ms <= QUEUE_LIMITS.longest_delay_seconds * 1_000',
    replace: 'row.delay_ms <= QUEUE_LIMITS.longest_delay_seconds * 4_000',
    tests: ['test/functions/live/outbox.test.ts'],
  },
  {
    name: 'of what a queue refused in part nothing is sent again',
    file: 'functions/domain/outbox/outbox.ts',
    find: '|| failed.has(String(row.outbox_id))',
    replace: '|| failed.has(String(row.topic))',
    tests: ['test/functions/live/outbox.test.ts'],
  },
  {
    name: 'what was committed is not announced when the note to Redis fails',
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
    name: 'an attempt may announce one file more than the limit',
    file: 'functions/domain/artifacts/artifacts.ts',
    find: '>= PER_ATTEMPT',
    replace: '> PER_ATTEMPT',
    tests: ['test/functions/artifacts.test.ts'],
  },
  {
    name: 'logs are taken for an attempt that has ended',
    file: 'functions/domain/attempts/logs.ts',
    find: 'if (code !== null) throw refusal(code ===',
    replace: `if (code !== null && code !== 'attempt_ended') throw refusal(code ===`,
    tests: ['test/functions/engine.test.ts'],
  },
  {
    name: 'logs are complete while their attempt runs',
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
    name: 'queues: what a handler names as failed is deleted',
    file: 'local/queues/handle.ts',
    find: '!failed.has(MessageId)',
    replace: 'failed.has(MessageId) || failed.size >= 0',
    tests: ['test/local/queues.test.ts'],
  },
  {
    name: 'queues: as many calls at a time as there are messages',
    file: 'local/queues/poll.ts',
    find: 'this.#running.size >= this.#options.concurrency',
    replace: 'this.#running.size > this.#options.concurrency',
    tests: ['test/local/queues.test.ts'],
  },
  {
    name: 'blobs: a signature for reading lets write',
    file: 'local/blobs.ts',
    find: 'const wanted = Buffer.from(sign(`${method}\\n${key}\\n${query}`));',
    replace: "const wanted = Buffer.from(sign(`${method === 'PUT' && query.has('name') ? 'GET' : method}\\n${key}\\n${query}`));",
    tests: ['test/local/blobs.test.ts'],
  },
  {
    name: 'blobs: an address is good for ever',
    file: 'local/blobs.ts',
    find: ` && Number(query.get('expires')) > Date.now()`,
    replace: '',
    tests: ['test/local/blobs.test.ts'],
  },
  {
    name: 'blobs: what was not as announced leaves its part behind',
    file: 'local/blobs.ts',
    find: 'await rm(part, { force: true });',
    replace: '',
    tests: ['test/local/blobs.test.ts'],
  },
  {
    name: 'scheduler: a job that fails is the last',
    file: 'local/scheduler.ts',
    find: '.then(() => {}, onError)',
    replace: '.then(() => {}, (error) => { onError(error); throw error; })',
    tests: ['test/local/scheduler.test.ts'],
  },
  {
    name: 'gateway: a body may be longer than allowed when its length is not announced',
    file: 'local/gateway/event.ts',
    find: 'if (length > most) return null;',
    replace: '',
    tests: ['test/local/gateway.test.ts'],
  },
  {
    name: 'sockets: one that is idle is never closed',
    file: 'local/socket-gateway/connection.ts',
    find: `const idle = setTimeout(() => close(1001, 'Going away'), limits.idleMs);`,
    replace: `const idle = setTimeout(() => close(1001, 'Going away'), limits.lifeMs);`,
    tests: ['test/local/socket-messages.test.ts'],
  },
  {
    name: 'sockets: a client that does not read is written to without end',
    file: 'local/socket-gateway/connection.ts',
    find: `if (socket.bufferedAmount + data.length > limits.bufferBytes) return 'full';`,
    replace: '',
    tests: ['test/local/socket-connections.test.ts'],
  },
  {
    name: 'redis in memory: SET forgets its time to live',
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
    name: 'a claim leaves out the commands that verify the work',
    file: 'schema/transitions/claimed_subtask.sql',
    find: "'verify', s.verify, ",
    replace: '',
    tests: ['test/functions/attempts/claimed-fields.test.ts'],
  },
  {
    name: 'a request wakes the clock while its transaction is open',
    file: 'functions/http/endpoint.ts',
    find: `if (wakesClock) await wakeClock(ctx);
    return commit(ctx, (unit) => {`,
    replace: `return commit(ctx, async (unit) => {
      if (wakesClock) await wakeClock(ctx);`,
    tests: ['test/functions/http/effects.test.ts'],
  },
  {
    name: 'Redis still knows a worker that was removed',
    file: 'functions/domain/workers/workers.ts',
    find: 'unit.forgetWorker({ organization_id, worker_id: workerId });',
    replace: '',
    tests: ['test/functions/http/effects.test.ts'],
  },
  {
    name: 'a request under an Idempotency-Key does not announce what it changed',
    file: 'functions/http/endpoint.ts',
    find: 'return commit(ctx, (unit) => {',
    replace: 'return commit(request === null ? ctx : { ...ctx, queues: null }, (unit) => {',
    tests: ['test/functions/http/effects.test.ts'],
  },
];
