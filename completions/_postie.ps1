
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'postie' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'postie'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'postie' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('fetch', 'fetch', [CompletionResultType]::ParameterValue, 'Fetch new messages from POP3 servers into a Maildir')
            [CompletionResult]::new('send', 'send', [CompletionResultType]::ParameterValue, 'Submit a message to an SMTP server, always logged in')
            [CompletionResult]::new('queue', 'queue', [CompletionResultType]::ParameterValue, 'List, send or remove the messages waiting in the outbox')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Find out what is wrong with an account, step by step')
            [CompletionResult]::new('setup', 'setup', [CompletionResultType]::ParameterValue, 'Find the servers for an address and print its account configuration')
            [CompletionResult]::new('login', 'login', [CompletionResultType]::ParameterValue, 'Log in by OAuth 2.0; later runs renew the tokens')
            [CompletionResult]::new('submit-server', 'submit-server', [CompletionResultType]::ParameterValue, 'Submit messages for local users, who see no password')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Import accounts and state from msmtp, mpop, fetchmail and getmail')
            [CompletionResult]::new('install', 'install', [CompletionResultType]::ParameterValue, 'Install the manual pages, shell completions and systemd units')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a manual page')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script for a shell')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Print the version')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'postie;fetch' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('--maildir', '--maildir', [CompletionResultType]::ParameterName, 'Deliver into this Maildir instead of the account''s [default: ~/Maildir]')
            [CompletionResult]::new('--keep', '--keep', [CompletionResultType]::ParameterName, 'Keep delivered messages on the server: forever, none, 30d [default: forever]')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'Fetch at most NUMBER messages per account, oldest first')
            [CompletionResult]::new('--max-size', '--max-size', [CompletionResultType]::ParameterName, 'Leave messages larger than SIZE on the server, e.g. 25M')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'Fetch from NUMBER accounts in parallel [default: 64, 10 per host]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Use this server, and no configuration file')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Log in with this name')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Use TLS: implicit, starttls, or none (loopback only) [default: implicit]')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of FILE')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'Read the password from the first line that COMMAND prints')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Trust only the certification authorities in FILE (PEM)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Fetch again the messages that were fetched before')
            [CompletionResult]::new('--repeat', '--repeat', [CompletionResultType]::ParameterName, 'Reconnect until a session brings no new messages')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'List what would happen to each message; change nothing')
            [CompletionResult]::new('--note-only', '--note-only', [CompletionResultType]::ParameterName, 'Record all listed messages as not to be fetched; fetch nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;send' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Send with this account [default: matched by the sender''s address]')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'Send with this account [default: matched by the sender''s address]')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Set the sender''s address, which receives failure reports; <> for none')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Set the sender''s address, which receives failure reports; <> for none')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'Set the sender''s name in an added From field')
            [CompletionResult]::new('--full-name', '--full-name', [CompletionResultType]::ParameterName, 'Set the sender''s name in an added From field')
            [CompletionResult]::new('-N', '-N ', [CompletionResultType]::ParameterName, 'Request delivery reports: never, or any of success,failure,delay')
            [CompletionResult]::new('--dsn-notify', '--dsn-notify', [CompletionResultType]::ParameterName, 'Request delivery reports: never, or any of success,failure,delay')
            [CompletionResult]::new('-R', '-R ', [CompletionResultType]::ParameterName, 'Request the full message, or only hdrs, in failure reports')
            [CompletionResult]::new('--dsn-return', '--dsn-return', [CompletionResultType]::ParameterName, 'Request the full message, or only hdrs, in failure reports')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Compose a message to these addresses')
            [CompletionResult]::new('--cc', '--cc', [CompletionResultType]::ParameterName, 'Send copies to these addresses')
            [CompletionResult]::new('--bcc', '--bcc', [CompletionResultType]::ParameterName, 'Send blind copies to these addresses')
            [CompletionResult]::new('--reply-to', '--reply-to', [CompletionResultType]::ParameterName, 'Direct replies to these addresses')
            [CompletionResult]::new('--subject', '--subject', [CompletionResultType]::ParameterName, 'Set the subject')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'Add a header field, e.g. ''In-Reply-To: <1@example.net>''')
            [CompletionResult]::new('--body', '--body', [CompletionResultType]::ParameterName, 'Use TEXT as the text; - is standard input [default: -]')
            [CompletionResult]::new('--html', '--html', [CompletionResultType]::ParameterName, 'Read the text as HTML from FILE; - is standard input')
            [CompletionResult]::new('--attach', '--attach', [CompletionResultType]::ParameterName, 'Attach these files; - is standard input')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Use this server, and no configuration file')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Log in with this name')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Use TLS: implicit, starttls, or none (loopback only) [default: implicit]')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of FILE')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'Read the password from the first line that COMMAND prints')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Trust only the certification authorities in FILE (PEM)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Send also to the addresses in To, Cc and Bcc')
            [CompletionResult]::new('--read-recipients', '--read-recipients', [CompletionResultType]::ParameterName, 'Send also to the addresses in To, Cc and Bcc')
            [CompletionResult]::new('--all-or-nothing', '--all-or-nothing', [CompletionResultType]::ParameterName, 'Send to no one unless every recipient is accepted')
            [CompletionResult]::new('--require-tls', '--require-tls', [CompletionResultType]::ParameterName, 'Require verified TLS on every hop to the recipients')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the envelope and the message; connect to nothing')
            [CompletionResult]::new('--queue', '--queue', [CompletionResultType]::ParameterName, 'Keep the message in the outbox if it cannot be sent now')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;queue' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('flush', 'flush', [CompletionResultType]::ParameterValue, 'Send the messages that are due')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove messages from the outbox')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'postie;queue;flush' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Send also the messages that are not due yet')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'postie;queue;remove' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'postie;queue;help' {
            [CompletionResult]::new('flush', 'flush', [CompletionResultType]::ParameterValue, 'Send the messages that are due')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove messages from the outbox')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'postie;queue;help;flush' {
            break
        }
        'postie;queue;help;remove' {
            break
        }
        'postie;queue;help;help' {
            break
        }
        'postie;check' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Set the sender''s address')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Set the sender''s address')
            [CompletionResult]::new('--dns', '--dns', [CompletionResultType]::ParameterName, 'Ask this resolver instead of the system''s')
            [CompletionResult]::new('--connect-to', '--connect-to', [CompletionResultType]::ParameterName, 'Connect to this address instead of a server''s own')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Use this server, and no configuration file')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Log in with this name')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Use TLS: implicit, starttls, or none (loopback only) [default: implicit]')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of FILE')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'Read the password from the first line that COMMAND prints')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Trust only the certification authorities in FILE (PEM)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('--fetch', '--fetch', [CompletionResultType]::ParameterName, 'Check fetching only')
            [CompletionResult]::new('--send', '--send', [CompletionResultType]::ParameterName, 'Check sending only')
            [CompletionResult]::new('--probe-sender', '--probe-sender', [CompletionResultType]::ParameterName, 'Ask whether the server accepts the sender (MAIL FROM, then RSET)')
            [CompletionResult]::new('--save', '--save', [CompletionResultType]::ParameterName, 'Add the account to the configuration file if every step succeeds')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;setup' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Name the account NAME [default: first part of the domain]')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'Name the account NAME [default: first part of the domain]')
            [CompletionResult]::new('--accept', '--accept', [CompletionResultType]::ParameterName, 'Accept this server outside the domain, named by unsigned DNS only')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Trust only the certification authorities in FILE (PEM)')
            [CompletionResult]::new('--dns', '--dns', [CompletionResultType]::ParameterName, 'Ask this resolver instead of the system''s')
            [CompletionResult]::new('--connect-to', '--connect-to', [CompletionResultType]::ParameterName, 'Connect to this address instead of a server''s own')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('--write', '--write', [CompletionResultType]::ParameterName, 'Add the account to the configuration file')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Look in the table of providers only; connect to nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;login' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Print a code to enter in a browser on any machine')
            [CompletionResult]::new('--forget', '--forget', [CompletionResultType]::ParameterName, 'Remove the stored tokens')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;submit-server' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Accept connections at this UNIX socket, one process for each')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;import' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('--write', '--write', [CompletionResultType]::ParameterName, 'Write the accounts, the passwords and the lists of fetched messages')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;install' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('--prefix', '--prefix', [CompletionResultType]::ParameterName, 'Install for the whole system, below DIR [default: /usr/local]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Install for this user, below ~/.local/share')
            [CompletionResult]::new('--list', '--list', [CompletionResultType]::ParameterName, 'List the files and their states; change nothing')
            [CompletionResult]::new('--remove', '--remove', [CompletionResultType]::ParameterName, 'Remove the installed files')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;man' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'postie;completions' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('--list', '--list', [CompletionResultType]::ParameterName, 'Print these names, one per line: for the completion scripts')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'postie;version' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the default one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any network wait after TIME, e.g. 2m [default: 60s]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation, passwords masked; -vv adds TLS and timing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one object per line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'postie;help' {
            [CompletionResult]::new('fetch', 'fetch', [CompletionResultType]::ParameterValue, 'Fetch new messages from POP3 servers into a Maildir')
            [CompletionResult]::new('send', 'send', [CompletionResultType]::ParameterValue, 'Submit a message to an SMTP server, always logged in')
            [CompletionResult]::new('queue', 'queue', [CompletionResultType]::ParameterValue, 'List, send or remove the messages waiting in the outbox')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Find out what is wrong with an account, step by step')
            [CompletionResult]::new('setup', 'setup', [CompletionResultType]::ParameterValue, 'Find the servers for an address and print its account configuration')
            [CompletionResult]::new('login', 'login', [CompletionResultType]::ParameterValue, 'Log in by OAuth 2.0; later runs renew the tokens')
            [CompletionResult]::new('submit-server', 'submit-server', [CompletionResultType]::ParameterValue, 'Submit messages for local users, who see no password')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Import accounts and state from msmtp, mpop, fetchmail and getmail')
            [CompletionResult]::new('install', 'install', [CompletionResultType]::ParameterValue, 'Install the manual pages, shell completions and systemd units')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a manual page')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script for a shell')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Print the version')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'postie;help;fetch' {
            break
        }
        'postie;help;send' {
            break
        }
        'postie;help;queue' {
            break
        }
        'postie;help;check' {
            break
        }
        'postie;help;setup' {
            break
        }
        'postie;help;login' {
            break
        }
        'postie;help;submit-server' {
            break
        }
        'postie;help;import' {
            break
        }
        'postie;help;install' {
            break
        }
        'postie;help;man' {
            break
        }
        'postie;help;completions' {
            break
        }
        'postie;help;version' {
            break
        }
        'postie;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
