# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_postie_global_optspecs
    string join \n c/config= q/quiet v/verbose timeout= json h/help V/version
end

function __fish_postie_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_postie_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_postie_using_subcommand
    set -l cmd (__fish_postie_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c postie -n "__fish_postie_needs_command" -s c -l config -d 'Read this configuration file instead of the usual one' -r -F
complete -c postie -n "__fish_postie_needs_command" -l timeout -d 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_needs_command" -s q -l quiet -d 'Say nothing but errors'
complete -c postie -n "__fish_postie_needs_command" -s v -l verbose -d 'Show the conversation with the server, passwords masked'
complete -c postie -n "__fish_postie_needs_command" -l json -d 'Print results as one JSON object a line'
complete -c postie -n "__fish_postie_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_needs_command" -s V -l version -d 'Print version'
complete -c postie -n "__fish_postie_needs_command" -f -a "fetch" -d 'Fetch new messages from POP3 servers into a Maildir'
complete -c postie -n "__fish_postie_needs_command" -f -a "send" -d 'Submit a message to an SMTP server, logged in'
complete -c postie -n "__fish_postie_needs_command" -f -a "queue" -d 'List the messages that wait to be sent; send them, or drop them'
complete -c postie -n "__fish_postie_needs_command" -f -a "import" -d 'Take over accounts from msmtp, mpop, fetchmail and getmail, and what they have fetched'
complete -c postie -n "__fish_postie_needs_command" -f -a "check" -d 'Find out what is wrong with an account, and what to do about it'
complete -c postie -n "__fish_postie_needs_command" -f -a "install" -d 'Put the manual pages, completions and systemd units where they belong'
complete -c postie -n "__fish_postie_needs_command" -f -a "man" -d 'Print a manual page'
complete -c postie -n "__fish_postie_needs_command" -f -a "completions" -d 'Print the completions of a shell'
complete -c postie -n "__fish_postie_needs_command" -f -a "setup" -d 'Find the servers of an address, and print the account to write into the configuration'
complete -c postie -n "__fish_postie_needs_command" -f -a "version" -d 'Print the version'
complete -c postie -n "__fish_postie_needs_command" -f -a "login" -d 'Log in by OAuth 2.0 once, so that later runs have tokens by themselves'
complete -c postie -n "__fish_postie_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postie -n "__fish_postie_using_subcommand fetch" -l maildir -d 'Deliver into this Maildir' -r -f -a "(__fish_complete_directories)"
complete -c postie -n "__fish_postie_using_subcommand fetch" -l keep -d 'What becomes of a message on the server when it is safe: `forever`, `none` or e.g. `30d`' -r
complete -c postie -n "__fish_postie_using_subcommand fetch" -l limit -d 'Fetch at most so many messages per account, the oldest first' -r
complete -c postie -n "__fish_postie_using_subcommand fetch" -l max-size -d 'Leave larger messages on the server, e.g. `500k` or `25M`' -r
complete -c postie -n "__fish_postie_using_subcommand fetch" -l jobs -d 'Fetch from up to NUMBER accounts in parallel, 64 at most [default: 8]' -r
complete -c postie -n "__fish_postie_using_subcommand fetch" -l server -d 'Use this server, and no configuration file' -r -f -a "(__fish_print_hostnames)"
complete -c postie -n "__fish_postie_using_subcommand fetch" -l user -d 'Log in with this name' -r -f
complete -c postie -n "__fish_postie_using_subcommand fetch" -l tls -d 'TLS from the start (`implicit`, the default) or after STLS or STARTTLS (`starttls`), or `none`, which is for a server on this machine\'s loopback address only' -r -f -a "implicit\t''
starttls\t''
none\t''"
complete -c postie -n "__fish_postie_using_subcommand fetch" -l password-file -d 'Read the password from the first line of a file' -r -F
complete -c postie -n "__fish_postie_using_subcommand fetch" -l password-command -d 'Read the password from what a command prints on its first line' -r -f -a "(__fish_complete_command)"
complete -c postie -n "__fish_postie_using_subcommand fetch" -l ca-file -d 'Trust these certification authorities instead of the usual ones (PEM)' -r -F
complete -c postie -n "__fish_postie_using_subcommand fetch" -s c -l config -d 'Read this configuration file instead of the usual one' -r -F
complete -c postie -n "__fish_postie_using_subcommand fetch" -l timeout -d 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand fetch" -l all -d 'Fetch also what was fetched before'
complete -c postie -n "__fish_postie_using_subcommand fetch" -l repeat -d 'Connect again until a session brings nothing new, for servers that show only a part'
complete -c postie -n "__fish_postie_using_subcommand fetch" -l dry-run -d 'Say what would happen to each message, and change nothing'
complete -c postie -n "__fish_postie_using_subcommand fetch" -l note-only -d 'Note everything that is there as not to be fetched, and fetch nothing'
complete -c postie -n "__fish_postie_using_subcommand fetch" -s q -l quiet -d 'Say nothing but errors'
complete -c postie -n "__fish_postie_using_subcommand fetch" -s v -l verbose -d 'Show the conversation with the server, passwords masked'
complete -c postie -n "__fish_postie_using_subcommand fetch" -l json -d 'Print results as one JSON object a line'
complete -c postie -n "__fish_postie_using_subcommand fetch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand send" -s a -l account -d 'Send with this account' -r
complete -c postie -n "__fish_postie_using_subcommand send" -s f -l from -d 'The sender\'s address, to which failures are reported, perhaps with a name; `<>` for none, as of messages that are not to be answered' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -s F -l full-name -d 'The name that stands before the sender\'s address in a From field that is added' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -s N -l dsn-notify -d 'Ask for reports on `never`, or some of `success`, `failure` and `delay`, with commas' -r
complete -c postie -n "__fish_postie_using_subcommand send" -s R -l dsn-return -d 'Have failures reported with the `full` message or its header only (`hdrs`)' -r
complete -c postie -n "__fish_postie_using_subcommand send" -l to -d 'Compose a message to these addresses' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l cc -d 'Send copies to these addresses' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l bcc -d 'Send copies to these addresses, and do not tell the others' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l reply-to -d 'Have answers sent to these addresses' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l subject -d 'The subject' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l header -d 'Add a field to the header, as in `--header \'In-Reply-To: <1@example.net>\'`' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l body -d 'The text, instead of standard input (`-`)' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l html -d 'The same as HTML, from a file or standard input (`-`); if there is no other text, all of it' -r -F
complete -c postie -n "__fish_postie_using_subcommand send" -l attach -d 'Attach files, or standard input (`-`). Further words are files as long as they exist and hold no `@`. One that the HTML shows by its name, as in `<img src="cid:photo.jpg">`, is part of the page' -r -F
complete -c postie -n "__fish_postie_using_subcommand send" -l server -d 'Use this server, and no configuration file' -r -f -a "(__fish_print_hostnames)"
complete -c postie -n "__fish_postie_using_subcommand send" -l user -d 'Log in with this name' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l tls -d 'TLS from the start (`implicit`, the default) or after STLS or STARTTLS (`starttls`), or `none`, which is for a server on this machine\'s loopback address only' -r -f -a "implicit\t''
starttls\t''
none\t''"
complete -c postie -n "__fish_postie_using_subcommand send" -l password-file -d 'Read the password from the first line of a file' -r -F
complete -c postie -n "__fish_postie_using_subcommand send" -l password-command -d 'Read the password from what a command prints on its first line' -r -f -a "(__fish_complete_command)"
complete -c postie -n "__fish_postie_using_subcommand send" -l ca-file -d 'Trust these certification authorities instead of the usual ones (PEM)' -r -F
complete -c postie -n "__fish_postie_using_subcommand send" -s c -l config -d 'Read this configuration file instead of the usual one' -r -F
complete -c postie -n "__fish_postie_using_subcommand send" -l timeout -d 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand send" -s t -l read-recipients -d 'Send also to the addresses in To, Cc and Bcc'
complete -c postie -n "__fish_postie_using_subcommand send" -l all-or-nothing -d 'Send to nobody unless the server accepts every recipient'
complete -c postie -n "__fish_postie_using_subcommand send" -l require-tls -d 'Have every server pass the message on by verified TLS, or not at all'
complete -c postie -n "__fish_postie_using_subcommand send" -l dry-run -d 'Print the envelope and the message, and connect to nothing'
complete -c postie -n "__fish_postie_using_subcommand send" -l queue -d 'If the message cannot be sent now, keep it in the outbox and send it later'
complete -c postie -n "__fish_postie_using_subcommand send" -s q -l quiet -d 'Say nothing but errors'
complete -c postie -n "__fish_postie_using_subcommand send" -s v -l verbose -d 'Show the conversation with the server, passwords masked'
complete -c postie -n "__fish_postie_using_subcommand send" -l json -d 'Print results as one JSON object a line'
complete -c postie -n "__fish_postie_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -s c -l config -d 'Read this configuration file instead of the usual one' -r -F
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -l timeout -d 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -s q -l quiet -d 'Say nothing but errors'
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -s v -l verbose -d 'Show the conversation with the server, passwords masked'
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -l json -d 'Print results as one JSON object a line'
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -f -a "flush" -d 'Send what is due'
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -f -a "remove" -d 'Drop messages'
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from flush" -s c -l config -d 'Read this configuration file instead of the usual one' -r -F
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from flush" -l timeout -d 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from flush" -l all -d 'Send also what is not due yet'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from flush" -s q -l quiet -d 'Say nothing but errors'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from flush" -s v -l verbose -d 'Show the conversation with the server, passwords masked'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from flush" -l json -d 'Print results as one JSON object a line'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from flush" -s h -l help -d 'Print help'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from remove" -s c -l config -d 'Read this configuration file instead of the usual one' -r -F
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from remove" -l timeout -d 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Say nothing but errors'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Show the conversation with the server, passwords masked'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from remove" -l json -d 'Print results as one JSON object a line'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "flush" -d 'Send what is due'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Drop messages'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postie -n "__fish_postie_using_subcommand import" -s c -l config -d 'Read this configuration file instead of the usual one' -r -F
complete -c postie -n "__fish_postie_using_subcommand import" -l timeout -d 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand import" -l write -d 'Add the accounts to the configuration file, put passwords into files of their own, and note what was fetched before'
complete -c postie -n "__fish_postie_using_subcommand import" -s q -l quiet -d 'Say nothing but errors'
complete -c postie -n "__fish_postie_using_subcommand import" -s v -l verbose -d 'Show the conversation with the server, passwords masked'
complete -c postie -n "__fish_postie_using_subcommand import" -l json -d 'Print results as one JSON object a line'
complete -c postie -n "__fish_postie_using_subcommand import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand check" -s f -l from -d 'The sender\'s address' -r -f
complete -c postie -n "__fish_postie_using_subcommand check" -l dns -d 'Ask this resolver instead of the system\'s' -r
complete -c postie -n "__fish_postie_using_subcommand check" -l connect-to -d 'Connect to this address instead of a server\'s own' -r
complete -c postie -n "__fish_postie_using_subcommand check" -l server -d 'Use this server, and no configuration file' -r -f -a "(__fish_print_hostnames)"
complete -c postie -n "__fish_postie_using_subcommand check" -l user -d 'Log in with this name' -r -f
complete -c postie -n "__fish_postie_using_subcommand check" -l tls -d 'TLS from the start (`implicit`, the default) or after STLS or STARTTLS (`starttls`), or `none`, which is for a server on this machine\'s loopback address only' -r -f -a "implicit\t''
starttls\t''
none\t''"
complete -c postie -n "__fish_postie_using_subcommand check" -l password-file -d 'Read the password from the first line of a file' -r -F
complete -c postie -n "__fish_postie_using_subcommand check" -l password-command -d 'Read the password from what a command prints on its first line' -r -f -a "(__fish_complete_command)"
complete -c postie -n "__fish_postie_using_subcommand check" -l ca-file -d 'Trust these certification authorities instead of the usual ones (PEM)' -r -F
complete -c postie -n "__fish_postie_using_subcommand check" -s c -l config -d 'Read this configuration file instead of the usual one' -r -F
complete -c postie -n "__fish_postie_using_subcommand check" -l timeout -d 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand check" -l fetch -d 'Check fetching only'
complete -c postie -n "__fish_postie_using_subcommand check" -l send -d 'Check sending only'
complete -c postie -n "__fish_postie_using_subcommand check" -l probe-sender -d 'Ask whether the server takes mail from the sender\'s address, with MAIL FROM and RSET'
complete -c postie -n "__fish_postie_using_subcommand check" -l save -d 'If all of it works, add the account to the configuration file'
complete -c postie -n "__fish_postie_using_subcommand check" -s q -l quiet -d 'Say nothing but errors'
complete -c postie -n "__fish_postie_using_subcommand check" -s v -l verbose -d 'Show the conversation with the server, passwords masked'
complete -c postie -n "__fish_postie_using_subcommand check" -l json -d 'Print results as one JSON object a line'
complete -c postie -n "__fish_postie_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand install" -l prefix -d 'Install for the whole system, below this directory' -r -f -a "(__fish_complete_directories)"
complete -c postie -n "__fish_postie_using_subcommand install" -s c -l config -d 'Read this configuration file instead of the usual one' -r -F
complete -c postie -n "__fish_postie_using_subcommand install" -l timeout -d 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand install" -l user -d 'Install for this user, in `XDG_DATA_HOME` (`~/.local/share`)'
complete -c postie -n "__fish_postie_using_subcommand install" -l list -d 'List the files and their states: `installed`, `missing`, `outdated` or `foreign`'
complete -c postie -n "__fish_postie_using_subcommand install" -l remove -d 'Remove what was installed'
complete -c postie -n "__fish_postie_using_subcommand install" -s q -l quiet -d 'Say nothing but errors'
complete -c postie -n "__fish_postie_using_subcommand install" -s v -l verbose -d 'Show the conversation with the server, passwords masked'
complete -c postie -n "__fish_postie_using_subcommand install" -l json -d 'Print results as one JSON object a line'
complete -c postie -n "__fish_postie_using_subcommand install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand man" -s c -l config -d 'Read this configuration file instead of the usual one' -r -F
complete -c postie -n "__fish_postie_using_subcommand man" -l timeout -d 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand man" -s q -l quiet -d 'Say nothing but errors'
complete -c postie -n "__fish_postie_using_subcommand man" -s v -l verbose -d 'Show the conversation with the server, passwords masked'
complete -c postie -n "__fish_postie_using_subcommand man" -l json -d 'Print results as one JSON object a line'
complete -c postie -n "__fish_postie_using_subcommand man" -s h -l help -d 'Print help'
complete -c postie -n "__fish_postie_using_subcommand completions" -s c -l config -d 'Read this configuration file instead of the usual one' -r -F
complete -c postie -n "__fish_postie_using_subcommand completions" -l timeout -d 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand completions" -s q -l quiet -d 'Say nothing but errors'
complete -c postie -n "__fish_postie_using_subcommand completions" -s v -l verbose -d 'Show the conversation with the server, passwords masked'
complete -c postie -n "__fish_postie_using_subcommand completions" -l json -d 'Print results as one JSON object a line'
complete -c postie -n "__fish_postie_using_subcommand completions" -s h -l help -d 'Print help'
complete -c postie -n "__fish_postie_using_subcommand setup" -s a -l account -d 'Give the account this name; the first part of the address\'s domain if none is given' -r -f
complete -c postie -n "__fish_postie_using_subcommand setup" -l accept -d 'Accept a server outside the address\'s domain that only an unsigned DNS answer names' -r -f -a "(__fish_print_hostnames)"
complete -c postie -n "__fish_postie_using_subcommand setup" -l ca-file -d 'Trust these certification authorities instead of the usual ones (PEM)' -r -F
complete -c postie -n "__fish_postie_using_subcommand setup" -l dns -d 'Ask this resolver instead of the system\'s' -r
complete -c postie -n "__fish_postie_using_subcommand setup" -l connect-to -d 'Connect to this address instead of a server\'s own' -r
complete -c postie -n "__fish_postie_using_subcommand setup" -s c -l config -d 'Read this configuration file instead of the usual one' -r -F
complete -c postie -n "__fish_postie_using_subcommand setup" -l timeout -d 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand setup" -l write -d 'Add the account to the configuration file'
complete -c postie -n "__fish_postie_using_subcommand setup" -l offline -d 'Connect to nothing: only the table of providers is looked at'
complete -c postie -n "__fish_postie_using_subcommand setup" -s q -l quiet -d 'Say nothing but errors'
complete -c postie -n "__fish_postie_using_subcommand setup" -s v -l verbose -d 'Show the conversation with the server, passwords masked'
complete -c postie -n "__fish_postie_using_subcommand setup" -l json -d 'Print results as one JSON object a line'
complete -c postie -n "__fish_postie_using_subcommand setup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand version" -s c -l config -d 'Read this configuration file instead of the usual one' -r -F
complete -c postie -n "__fish_postie_using_subcommand version" -l timeout -d 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand version" -s q -l quiet -d 'Say nothing but errors'
complete -c postie -n "__fish_postie_using_subcommand version" -s v -l verbose -d 'Show the conversation with the server, passwords masked'
complete -c postie -n "__fish_postie_using_subcommand version" -l json -d 'Print results as one JSON object a line'
complete -c postie -n "__fish_postie_using_subcommand version" -s h -l help -d 'Print help'
complete -c postie -n "__fish_postie_using_subcommand login" -s c -l config -d 'Read this configuration file instead of the usual one' -r -F
complete -c postie -n "__fish_postie_using_subcommand login" -l timeout -d 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand login" -l device -d 'Log in with a code that is typed into a page on any machine'
complete -c postie -n "__fish_postie_using_subcommand login" -l forget -d 'Remove what is kept of the login'
complete -c postie -n "__fish_postie_using_subcommand login" -s q -l quiet -d 'Say nothing but errors'
complete -c postie -n "__fish_postie_using_subcommand login" -s v -l verbose -d 'Show the conversation with the server, passwords masked'
complete -c postie -n "__fish_postie_using_subcommand login" -l json -d 'Print results as one JSON object a line'
complete -c postie -n "__fish_postie_using_subcommand login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue import check install man completions setup version login help" -f -a "fetch" -d 'Fetch new messages from POP3 servers into a Maildir'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue import check install man completions setup version login help" -f -a "send" -d 'Submit a message to an SMTP server, logged in'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue import check install man completions setup version login help" -f -a "queue" -d 'List the messages that wait to be sent; send them, or drop them'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue import check install man completions setup version login help" -f -a "import" -d 'Take over accounts from msmtp, mpop, fetchmail and getmail, and what they have fetched'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue import check install man completions setup version login help" -f -a "check" -d 'Find out what is wrong with an account, and what to do about it'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue import check install man completions setup version login help" -f -a "install" -d 'Put the manual pages, completions and systemd units where they belong'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue import check install man completions setup version login help" -f -a "man" -d 'Print a manual page'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue import check install man completions setup version login help" -f -a "completions" -d 'Print the completions of a shell'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue import check install man completions setup version login help" -f -a "setup" -d 'Find the servers of an address, and print the account to write into the configuration'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue import check install man completions setup version login help" -f -a "version" -d 'Print the version'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue import check install man completions setup version login help" -f -a "login" -d 'Log in by OAuth 2.0 once, so that later runs have tokens by themselves'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue import check install man completions setup version login help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postie -n "__fish_postie_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "flush" -d 'Send what is due'
complete -c postie -n "__fish_postie_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "remove" -d 'Drop messages'
