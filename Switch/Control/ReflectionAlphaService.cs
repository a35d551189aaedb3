using Grpc.Core;
using InterGuest.Protos.Reflection.V1;

namespace InterGuest.Switch.Control;

/// <summary>
/// Server reflection under the name it had first, grpc.reflection.v1alpha, which tools of Debian 12 still ask for. Its messages
/// are byte for byte those of v1, so only the name is another.
/// </summary>
[BindServiceMethod(typeof(ReflectionAlphaService), nameof(BindService))]
public class ReflectionAlphaService(ReflectionService reflection)
{
    private const string ServiceName = "grpc.reflection.v1alpha.ServerReflection";

    /// <summary>Called by Grpc.AspNetCore, once without an object, to learn the methods.</summary>
    public static void BindService(ServiceBinderBase binder, ReflectionAlphaService? service) => binder.AddMethod(
        new Method<ServerReflectionRequest, ServerReflectionResponse>(
            MethodType.DuplexStreaming,
            ServiceName,
            nameof(ServerReflectionInfo),
            Marshallers.Create(Google.Protobuf.MessageExtensions.ToByteArray, ServerReflectionRequest.Parser.ParseFrom),
            Marshallers.Create(Google.Protobuf.MessageExtensions.ToByteArray, ServerReflectionResponse.Parser.ParseFrom)),
        service == null ? null! : new DuplexStreamingServerMethod<ServerReflectionRequest, ServerReflectionResponse>(service.ServerReflectionInfo));

    /// <summary>As in v1. Virtual, or Grpc.AspNetCore does not find it.</summary>
    public virtual Task ServerReflectionInfo(
        IAsyncStreamReader<ServerReflectionRequest> requestStream, IServerStreamWriter<ServerReflectionResponse> responseStream, ServerCallContext context) =>
        reflection.ServerReflectionInfo(requestStream, responseStream, context);
}
