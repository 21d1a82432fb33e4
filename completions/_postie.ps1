
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
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as one JSON object a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('fetch', 'fetch', [CompletionResultType]::ParameterValue, 'Fetch new messages from POP3 servers into a Maildir')
            [CompletionResult]::new('send', 'send', [CompletionResultType]::ParameterValue, 'Submit a message to an SMTP server, logged in')
            [CompletionResult]::new('queue', 'queue', [CompletionResultType]::ParameterValue, 'List the messages that wait to be sent; send them, or drop them')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Take over accounts from msmtp, mpop, fetchmail and getmail, and what they have fetched')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Find out what is wrong with an account, and what to do about it')
            [CompletionResult]::new('install', 'install', [CompletionResultType]::ParameterValue, 'Put the manual pages, completions and systemd units where they belong')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a manual page')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions of a shell')
            [CompletionResult]::new('setup', 'setup', [CompletionResultType]::ParameterValue, 'Find the servers of an address, and print the account to write into the configuration')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Print the version')
            [CompletionResult]::new('login', 'login', [CompletionResultType]::ParameterValue, 'Log in by OAuth 2.0 once, so that later runs have tokens by themselves')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'postie;fetch' {
            [CompletionResult]::new('--maildir', '--maildir', [CompletionResultType]::ParameterName, 'Deliver into this Maildir')
            [CompletionResult]::new('--keep', '--keep', [CompletionResultType]::ParameterName, 'What becomes of a message on the server when it is safe: `forever`, `none` or e.g. `30d`')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'Fetch at most so many messages per account, the oldest first')
            [CompletionResult]::new('--max-size', '--max-size', [CompletionResultType]::ParameterName, 'Leave larger messages on the server, e.g. `500k` or `25M`')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'Fetch from up to NUMBER accounts in parallel, 64 at most [default: 8]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Use this server, and no configuration file')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Log in with this name')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'TLS from the start (`implicit`, the default) or after STLS or STARTTLS (`starttls`), or `none`, which is for a server on this machine''s loopback address only')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'Read the password from what a command prints on its first line')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Trust these certification authorities instead of the usual ones (PEM)')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Fetch also what was fetched before')
            [CompletionResult]::new('--repeat', '--repeat', [CompletionResultType]::ParameterName, 'Connect again until a session brings nothing new, for servers that show only a part')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Say what would happen to each message, and change nothing')
            [CompletionResult]::new('--note-only', '--note-only', [CompletionResultType]::ParameterName, 'Note everything that is there as not to be fetched, and fetch nothing')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as one JSON object a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;send' {
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Send with this account')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'Send with this account')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The sender''s address, to which failures are reported, perhaps with a name; `<>` for none, as of messages that are not to be answered')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'The sender''s address, to which failures are reported, perhaps with a name; `<>` for none, as of messages that are not to be answered')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'The name that stands before the sender''s address in a From field that is added')
            [CompletionResult]::new('--full-name', '--full-name', [CompletionResultType]::ParameterName, 'The name that stands before the sender''s address in a From field that is added')
            [CompletionResult]::new('-N', '-N ', [CompletionResultType]::ParameterName, 'Ask for reports on `never`, or some of `success`, `failure` and `delay`, with commas')
            [CompletionResult]::new('--dsn-notify', '--dsn-notify', [CompletionResultType]::ParameterName, 'Ask for reports on `never`, or some of `success`, `failure` and `delay`, with commas')
            [CompletionResult]::new('-R', '-R ', [CompletionResultType]::ParameterName, 'Have failures reported with the `full` message or its header only (`hdrs`)')
            [CompletionResult]::new('--dsn-return', '--dsn-return', [CompletionResultType]::ParameterName, 'Have failures reported with the `full` message or its header only (`hdrs`)')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Compose a message to these addresses')
            [CompletionResult]::new('--cc', '--cc', [CompletionResultType]::ParameterName, 'Send copies to these addresses')
            [CompletionResult]::new('--bcc', '--bcc', [CompletionResultType]::ParameterName, 'Send copies to these addresses, and do not tell the others')
            [CompletionResult]::new('--reply-to', '--reply-to', [CompletionResultType]::ParameterName, 'Have answers sent to these addresses')
            [CompletionResult]::new('--subject', '--subject', [CompletionResultType]::ParameterName, 'The subject')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'Add a field to the header, as in `--header ''In-Reply-To: <1@example.net>''`')
            [CompletionResult]::new('--body', '--body', [CompletionResultType]::ParameterName, 'The text, instead of standard input (`-`)')
            [CompletionResult]::new('--html', '--html', [CompletionResultType]::ParameterName, 'The same as HTML, from a file or standard input (`-`); if there is no other text, all of it')
            [CompletionResult]::new('--attach', '--attach', [CompletionResultType]::ParameterName, 'Attach files, or standard input (`-`). Further words are files as long as they exist and hold no `@`. One that the HTML shows by its name, as in `<img src="cid:photo.jpg">`, is part of the page')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Use this server, and no configuration file')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Log in with this name')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'TLS from the start (`implicit`, the default) or after STLS or STARTTLS (`starttls`), or `none`, which is for a server on this machine''s loopback address only')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'Read the password from what a command prints on its first line')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Trust these certification authorities instead of the usual ones (PEM)')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Send also to the addresses in To, Cc and Bcc')
            [CompletionResult]::new('--read-recipients', '--read-recipients', [CompletionResultType]::ParameterName, 'Send also to the addresses in To, Cc and Bcc')
            [CompletionResult]::new('--all-or-nothing', '--all-or-nothing', [CompletionResultType]::ParameterName, 'Send to nobody unless the server accepts every recipient')
            [CompletionResult]::new('--require-tls', '--require-tls', [CompletionResultType]::ParameterName, 'Have every server pass the message on by verified TLS, or not at all')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the envelope and the message, and connect to nothing')
            [CompletionResult]::new('--queue', '--queue', [CompletionResultType]::ParameterName, 'If the message cannot be sent now, keep it in the outbox and send it later')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as one JSON object a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;queue' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as one JSON object a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('flush', 'flush', [CompletionResultType]::ParameterValue, 'Send what is due')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Drop messages')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'postie;queue;flush' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Send also what is not due yet')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as one JSON object a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'postie;queue;remove' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as one JSON object a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'postie;queue;help' {
            [CompletionResult]::new('flush', 'flush', [CompletionResultType]::ParameterValue, 'Send what is due')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Drop messages')
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
        'postie;import' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]')
            [CompletionResult]::new('--write', '--write', [CompletionResultType]::ParameterName, 'Add the accounts to the configuration file, put passwords into files of their own, and note what was fetched before')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as one JSON object a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;check' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The sender''s address')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'The sender''s address')
            [CompletionResult]::new('--dns', '--dns', [CompletionResultType]::ParameterName, 'Ask this resolver instead of the system''s')
            [CompletionResult]::new('--connect-to', '--connect-to', [CompletionResultType]::ParameterName, 'Connect to this address instead of a server''s own')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Use this server, and no configuration file')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Log in with this name')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'TLS from the start (`implicit`, the default) or after STLS or STARTTLS (`starttls`), or `none`, which is for a server on this machine''s loopback address only')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'Read the password from what a command prints on its first line')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Trust these certification authorities instead of the usual ones (PEM)')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]')
            [CompletionResult]::new('--fetch', '--fetch', [CompletionResultType]::ParameterName, 'Check fetching only')
            [CompletionResult]::new('--send', '--send', [CompletionResultType]::ParameterName, 'Check sending only')
            [CompletionResult]::new('--probe-sender', '--probe-sender', [CompletionResultType]::ParameterName, 'Ask whether the server takes mail from the sender''s address, with MAIL FROM and RSET')
            [CompletionResult]::new('--save', '--save', [CompletionResultType]::ParameterName, 'If all of it works, add the account to the configuration file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as one JSON object a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;install' {
            [CompletionResult]::new('--prefix', '--prefix', [CompletionResultType]::ParameterName, 'Install for the whole system, below this directory')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Install for this user, in `XDG_DATA_HOME` (`~/.local/share`)')
            [CompletionResult]::new('--list', '--list', [CompletionResultType]::ParameterName, 'List the files and their states: `installed`, `missing`, `outdated` or `foreign`')
            [CompletionResult]::new('--remove', '--remove', [CompletionResultType]::ParameterName, 'Remove what was installed')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as one JSON object a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;man' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as one JSON object a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'postie;completions' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as one JSON object a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'postie;setup' {
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Give the account this name; the first part of the address''s domain if none is given')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'Give the account this name; the first part of the address''s domain if none is given')
            [CompletionResult]::new('--accept', '--accept', [CompletionResultType]::ParameterName, 'Accept a server outside the address''s domain that only an unsigned DNS answer names')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Trust these certification authorities instead of the usual ones (PEM)')
            [CompletionResult]::new('--dns', '--dns', [CompletionResultType]::ParameterName, 'Ask this resolver instead of the system''s')
            [CompletionResult]::new('--connect-to', '--connect-to', [CompletionResultType]::ParameterName, 'Connect to this address instead of a server''s own')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]')
            [CompletionResult]::new('--write', '--write', [CompletionResultType]::ParameterName, 'Add the account to the configuration file')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Connect to nothing: only the table of providers is looked at')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as one JSON object a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;version' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as one JSON object a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'postie;login' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file instead of the usual one')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Log in with a code that is typed into a page on any machine')
            [CompletionResult]::new('--forget', '--forget', [CompletionResultType]::ParameterName, 'Remove what is kept of the login')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the conversation with the server, passwords masked')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as one JSON object a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'postie;help' {
            [CompletionResult]::new('fetch', 'fetch', [CompletionResultType]::ParameterValue, 'Fetch new messages from POP3 servers into a Maildir')
            [CompletionResult]::new('send', 'send', [CompletionResultType]::ParameterValue, 'Submit a message to an SMTP server, logged in')
            [CompletionResult]::new('queue', 'queue', [CompletionResultType]::ParameterValue, 'List the messages that wait to be sent; send them, or drop them')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Take over accounts from msmtp, mpop, fetchmail and getmail, and what they have fetched')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Find out what is wrong with an account, and what to do about it')
            [CompletionResult]::new('install', 'install', [CompletionResultType]::ParameterValue, 'Put the manual pages, completions and systemd units where they belong')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a manual page')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions of a shell')
            [CompletionResult]::new('setup', 'setup', [CompletionResultType]::ParameterValue, 'Find the servers of an address, and print the account to write into the configuration')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Print the version')
            [CompletionResult]::new('login', 'login', [CompletionResultType]::ParameterValue, 'Log in by OAuth 2.0 once, so that later runs have tokens by themselves')
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
            [CompletionResult]::new('flush', 'flush', [CompletionResultType]::ParameterValue, 'Send what is due')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Drop messages')
            break
        }
        'postie;help;queue;flush' {
            break
        }
        'postie;help;queue;remove' {
            break
        }
        'postie;help;import' {
            break
        }
        'postie;help;check' {
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
        'postie;help;setup' {
            break
        }
        'postie;help;version' {
            break
        }
        'postie;help;login' {
            break
        }
        'postie;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
