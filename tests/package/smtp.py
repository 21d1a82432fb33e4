"""For system.sh: a submission server at port 465, with TLS from the start, that lets one user in and keeps
each message in a file. Arguments: the certificate and its key, as PEM; `user password`; a directory.

A message whose recipient begins with `refused` is refused. The first line of a file is the envelope."""
import base64
import pathlib
import socket
import ssl
import sys
import threading

certificate, key, login, directory = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
listener = socket.create_server(("127.0.0.1", 465))
welcome = base64.b64encode(("\0" + login.replace(" ", "\0")).encode()).decode()
numbers = iter(range(1_000_000))


def serve(connection):
    """Holds one conversation."""
    stream = connection.makefile("rw", encoding="utf-8", newline="\r\n")
    sender, recipients, is_logged_in = "", [], False

    def say(text):
        stream.write(text + "\r\n")
        stream.flush()

    say("220 mail.example.com")
    for line in stream:
        word, _, rest = line.rstrip("\r\n").partition(" ")
        if word == "EHLO":
            say("250-mail.example.com\r\n250-8BITMIME\r\n250 AUTH PLAIN")
        elif word == "AUTH":
            is_logged_in = rest == "PLAIN " + welcome
            say("235 welcome" if is_logged_in else "535 who are you?")
        elif word == "QUIT":
            say("221 bye")
            return
        elif not is_logged_in:
            say("530 log in first")
        elif word == "MAIL":
            sender, recipients = rest, []
            say("250 ok")
        elif word == "RCPT":
            is_refused = rest.lower().startswith("to:<refused")
            recipients += [] if is_refused else [rest]
            say("550 no such user" if is_refused else "250 ok")
        elif word == "DATA":
            say("354 go on")
            text = []
            for line in stream:
                if line == ".\r\n":
                    break
                text.append(line.rstrip("\r\n"))
            name = pathlib.Path(directory, str(next(numbers)))
            name.write_text("\n".join([" ".join([sender, *recipients]), *text]) + "\n")
            say("250 taken")
        else:
            say("250 ok")


def secured(connection):
    """Ends quietly with a client that does not trust the certificate, or goes away."""
    try:
        with context.wrap_socket(connection, server_side=True) as private:
            serve(private)
    except OSError:
        pass


print("ready", flush=True)
while True:
    threading.Thread(target=secured, args=(listener.accept()[0],), daemon=True).start()
