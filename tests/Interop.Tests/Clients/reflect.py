"""A client that has no .proto file of ours: asks the switch's health, learns its services by reflection, uses them. argv: endpoint."""
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

(endpoint,) = sys.argv[1:]
STRING, BYTES, ENUM, MESSAGE = 9, 12, 14, 11


def declare(pool, name, package, messages):
    """A file with messages of the fields (name, number, type, repeated, type name): no protoc is needed, nor python3-grpc-tools."""
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax="proto3")
    for message, fields in messages.items():
        declared = file.message_type.add(name=message)
        for field, number, kind, repeated, of in fields:
            declared.field.add(name=field, number=number, type=kind, label=3 if repeated else 1,
                               type_name="." + package + "." + of if of else None)
    pool.Add(file)


def prototype(pool, name):
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName(name))


standard = descriptor_pool.DescriptorPool()
declare(standard, "health.proto", "grpc.health.v1", {
    "HealthCheckRequest": [("service", 1, STRING, False, None)],
    "HealthCheckResponse": [("status", 1, 5, False, None)]})
declare(standard, "reflection.proto", "grpc.reflection.v1", {
    "ServerReflectionRequest": [("file_containing_symbol", 4, STRING, False, None), ("list_services", 7, STRING, False, None)],
    "FileDescriptorResponse": [("file_descriptor_proto", 1, BYTES, True, None)],
    "ServiceResponse": [("name", 1, STRING, False, None)],
    "ListServiceResponse": [("service", 1, MESSAGE, True, "ServiceResponse")],
    "ServerReflectionResponse": [("file_descriptor_response", 4, MESSAGE, False, "FileDescriptorResponse"),
                                 ("list_services_response", 6, MESSAGE, False, "ListServiceResponse")]})
Check, Checked = (prototype(standard, "grpc.health.v1." + n) for n in ("HealthCheckRequest", "HealthCheckResponse"))
Ask, Answer = (prototype(standard, "grpc.reflection.v1." + n) for n in ("ServerReflectionRequest", "ServerReflectionResponse"))


def reflect(channel, package, **question):
    call = channel.stream_stream("/grpc.reflection." + package + ".ServerReflection/ServerReflectionInfo",
                                 request_serializer=Ask.SerializeToString, response_deserializer=Answer.FromString)
    return next(call(iter([Ask(**question)]), timeout=20))


with grpc.insecure_channel(endpoint) as channel:
    check = channel.unary_unary("/grpc.health.v1.Health/Check",
                                request_serializer=Check.SerializeToString, response_deserializer=Checked.FromString)
    assert check(Check(), timeout=20).status == 1
    assert check(Check(service="interguest.v1.Control"), timeout=20).status == 1
    try:
        check(Check(service="no.Such"), timeout=20)
        raise AssertionError("not refused")
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.NOT_FOUND, e.code()

    for package in ("v1", "v1alpha"):
        services = [s.name for s in reflect(channel, package, list_services="*").list_services_response.service]
        assert "interguest.v1.Control" in services, services
        files = reflect(channel, package, file_containing_symbol="interguest.v1.Control").file_descriptor_response
        pool = descriptor_pool.DescriptorPool()
        for file in reversed(files.file_descriptor_proto):  # those imported first
            pool.AddSerializedFile(file)
        method = pool.FindServiceByName("interguest.v1.Control").FindMethodByName("CreatePort")
        request, port = (prototype(pool, t.full_name) for t in (method.input_type, method.output_type))
        create = channel.unary_unary("/interguest.v1.Control/CreatePort",
                                     request_serializer=request.SerializeToString, response_deserializer=port.FromString)
        made = create(request(name=package, queue_pairs=2), timeout=20)
        assert made.queue_pairs == 2 and made.socket_path.endswith("/" + package + ".sock"), made
print("all well")
