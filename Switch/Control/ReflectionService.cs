using Google.Protobuf.Reflection;
using Grpc.Core;
using InterGuest.Protos.Reflection.V1;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace InterGuest.Switch.Control;

/// <summary>gRPC's server reflection: tells tools which services there are and how their messages look.</summary>
public sealed class ReflectionService : ServerReflection.ServerReflectionBase
{
    private readonly SortedSet<string> _services = new(StringComparer.Ordinal);
    private readonly Dictionary<string, FileDescriptor> _files = [];
    private readonly Dictionary<string, FileDescriptor> _symbols = [];

    /// <param name="services">All that the server has.</param>
    public ReflectionService(IEnumerable<ServiceDescriptor> services)
    {
        foreach (var service in services)
        {
            _services.Add(service.FullName);
            Add(service.File);
        }
    }

    /// <inheritdoc/>
    public override async Task ServerReflectionInfo(
        IAsyncStreamReader<ServerReflectionRequest> requestStream, IServerStreamWriter<ServerReflectionResponse> responseStream, ServerCallContext context)
    {
        await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
            await responseStream.WriteAsync(Answer(request), context.CancellationToken);
    }

    internal ServerReflectionResponse Answer(ServerReflectionRequest request)
    {
        var response = new ServerReflectionResponse { ValidHost = request.Host, OriginalRequest = request };
        switch (request.MessageRequestCase)
        {
            case ServerReflectionRequest.MessageRequestOneofCase.ListServices:
                response.ListServicesResponse = new() { Service = { _services.Select(s => new ServiceResponse { Name = s }) } };
                break;
            case ServerReflectionRequest.MessageRequestOneofCase.FileByFilename when _files.TryGetValue(request.FileByFilename, out var file):
                response.FileDescriptorResponse = WithImports(file);
                break;
            case ServerReflectionRequest.MessageRequestOneofCase.FileContainingSymbol when _symbols.TryGetValue(request.FileContainingSymbol, out var file):
                response.FileDescriptorResponse = WithImports(file);
                break;
            case ServerReflectionRequest.MessageRequestOneofCase.AllExtensionNumbersOfType when _symbols.ContainsKey(request.AllExtensionNumbersOfType):
                // proto3 has no extensions.
                response.AllExtensionNumbersResponse = new() { BaseTypeName = request.AllExtensionNumbersOfType };
                break;
            case ServerReflectionRequest.MessageRequestOneofCase.None:
                response.ErrorResponse = new() { ErrorCode = (int)StatusCode.InvalidArgument, ErrorMessage = "the request asks for nothing" };
                break;
            default:
                response.ErrorResponse = new() { ErrorCode = (int)StatusCode.NotFound, ErrorMessage = "there is no file, symbol or extension of that name" };
                break;
        }
        return response;
    }

    private void Add(FileDescriptor file)
    {
        if (!_files.TryAdd(file.Name, file))
            return;
        foreach (var import in file.Dependencies)
            Add(import);
        foreach (var service in file.Services)
        {
            _symbols[service.FullName] = file;
            foreach (var method in service.Methods)
                _symbols[method.FullName] = file;
        }
        foreach (var type in file.EnumTypes)
            _symbols[type.FullName] = file;
        foreach (var type in file.MessageTypes)
            Add(type);
    }

    private void Add(MessageDescriptor type)
    {
        _symbols[type.FullName] = type.File;
        foreach (var field in type.Fields.InDeclarationOrder())
            _symbols[field.FullName] = type.File;
        foreach (var inner in type.EnumTypes)
            _symbols[inner.FullName] = type.File;
        foreach (var inner in type.NestedTypes)
            Add(inner);
    }

    private static FileDescriptorResponse WithImports(FileDescriptor file)
    {
        var response = new FileDescriptorResponse();
        var seen = new HashSet<string>();
        var next = new Queue<FileDescriptor>([file]);
        while (next.TryDequeue(out var one))
        {
            if (!seen.Add(one.Name))
                continue;
            response.FileDescriptorProto.Add(one.SerializedData);
            foreach (var import in one.Dependencies)
                next.Enqueue(import);
        }
        return response;
    }
}
