#!/usr/bin/env python3
"""cutting-proxy PORT LIMIT TIMES

Hands connections on to a loopback PORT. The first TIMES of them that bring more than LIMIT bytes to it are cut there, after
those bytes have arrived. Prints its own port.
"""
import socket, sys, threading

port, limit, times = map(int, sys.argv[1:4])
lock = threading.Lock()


def may_cut():
    global times
    with lock:
        times -= 1
        return times >= 0


def carry(source, target, count):
    done = 0
    try:
        while data := source.recv(65536):
            if count and done + len(data) > limit and may_cut():
                target.sendall(data[:limit - done])
                target.close()
                source.close()
                return
            done += len(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client):
    server = socket.create_connection(("127.0.0.1", port))
    threading.Thread(target=carry, args=(server, client, False), daemon=True).start()
    carry(client, server, True)


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)


def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
sys.stdin.read()
