"""A client in another language: makes ports and a link, watches, provokes errors. argv: descriptor set, endpoint."""
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

descriptors, endpoint = sys.argv[1:]
pool = descriptor_pool.DescriptorPool()
with open(descriptors, "rb") as f:
    for file in descriptor_pb2.FileDescriptorSet.FromString(f.read()).file:
        pool.Add(file)
factory = message_factory.MessageFactory(pool)
service = pool.FindServiceByName("interguest.v1.Control")


def make(channel, name):
    method = service.FindMethodByName(name)
    kind = channel.unary_stream if name == "Watch" else channel.unary_unary
    request = factory.GetPrototype(method.input_type)
    call = kind("/interguest.v1.Control/" + name,
                request_serializer=request.SerializeToString,
                response_deserializer=factory.GetPrototype(method.output_type).FromString)
    return lambda **fields: call(request(**fields), timeout=20)


def refused(call, code, *words):
    try:
        call()
    except grpc.RpcError as e:
        assert e.code() == code, (e.code(), code, e.details())
        for word in words:
            assert word in e.details(), (word, e.details())
        return
    raise AssertionError("not refused")


with grpc.insecure_channel(endpoint) as channel:
    call = {m.name: make(channel, m.name) for m in service.methods}
    events = call["Watch"]()
    events.initial_metadata()  # from here on nothing is missed
    port = call["CreatePort"](name="py-a")
    assert port.socket_path.endswith("/py-a.sock") and port.queue_pairs == 1, port
    call["CreatePort"](name="py-b", queue_pairs=2)
    link = call["CreateLink"](name="py", ports=["py-a", "py-b"])
    assert list(link.ports) == ["py-a", "py-b"] and link.admin_up, link
    assert not call["SetLinkUp"](name="py", up=False).admin_up
    refused(lambda: call["CreatePort"](name="py-a"), grpc.StatusCode.ALREADY_EXISTS, "py-a")
    refused(lambda: call["CreatePort"](name="a/b"), grpc.StatusCode.INVALID_ARGUMENT, "name", "a/b")
    refused(lambda: call["CreatePort"](name="q", queue_pairs=1000), grpc.StatusCode.INVALID_ARGUMENT, "queue_pairs")
    refused(lambda: call["GetPort"](name="nobody"), grpc.StatusCode.NOT_FOUND, "nobody")
    refused(lambda: call["DeletePort"](name="py-a"), grpc.StatusCode.FAILED_PRECONDITION, "py")
    call["DeleteLink"](name="py")
    for name in ("py-a", "py-b"):
        call["DeletePort"](name=name)
    status = call["GetStatus"]()
    assert not status.ports and not status.links and getattr(status, "switch").pid > 0
    texts = [next(events).text for _ in range(7)]
    assert "py-a" in texts[0] and "down" in texts[3] and "removed" in texts[6], texts
print("all well")
