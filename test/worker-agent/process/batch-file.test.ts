import { describe, expect, it } from 'vitest';
import { startedOnWindows } from '../../../worker-agent/src/process/batch-file.ts';
import { AgentFailure } from '../../../worker-agent/src/attempt/agent-failure.ts';

const started = (args: string[], file = 'C:\\Program Files\\nodejs\\tool.cmd') => startedOnWindows(file, args, 'cmd.exe');

describe('a program on Windows', () => {
  it('is started directly', () => {
    expect(started(['a b', '%PATH%', '"'], 'C:\\tool.exe')).toEqual({ file: 'C:\\tool.exe', args: ['a b', '%PATH%', '"'] });
  });

  it('that is a batch file gets each argument in quotes, so that cmd.exe does not interpret it', () => {
    expect(started(['a & calc', 'C:\\dir\\', '^|<>()', ''])).toEqual({
      file: 'cmd.exe',
      args: ['/d', '/s', '/v:off', '/c', '""C:\\Program Files\\nodejs\\tool.cmd" "a & calc" "C:\\dir\\\\" "^|<>()" """'],
      windowsVerbatimArguments: true,
    });
  });

  it.each(['"& calc', '%COMSPEC%', '!x!', 'a\ncalc', 'a\rcalc'])('that is a batch file is not started with %j', (argument) => {
    expect(() => started([argument])).toThrow(AgentFailure);
  });
});
