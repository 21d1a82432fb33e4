"""For test.sh: a resolver on 127.0.0.1 that knows every name as 127.0.0.1, and a server at port 995 that
greets over TLS and says no more. Arguments: the server's certificate and its key, as PEM."""
import socket
import ssl
import sys
import threading

resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
resolver.bind(("127.0.0.1", 53))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
listener = socket.create_server(("127.0.0.1", 995))


def resolve():
    """Answers each question for an address (type 1), and says that there is no other record."""
    while True:
        query, peer = resolver.recvfrom(512)
        end = query.index(0, 12) + 5
        question, is_address = query[12:end], query[end - 4 : end - 2] == b"\0\1"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1" if is_address else b""
        counts = b"\0\1" + (b"\0\1" if is_address else b"\0\0") + b"\0\0\0\0"
        resolver.sendto(query[:2] + b"\x81\x80" + counts + question + answer, peer)


threading.Thread(target=resolve, daemon=True).start()
print("ready", flush=True)
while True:
    try:
        connection = context.wrap_socket(listener.accept()[0], server_side=True)
        connection.sendall(b"+OK ready\r\n")
        connection.recv(1)
    except OSError:
        # A client that does not trust the certificate.
        pass
