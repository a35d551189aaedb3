using Google.Protobuf;
using Google.Protobuf.Reflection;
using InterGuest.Interop.Tests.Harness;
using InterGuest.Protos.V1;

namespace InterGuest.Interop.Tests.Clients;

/// <summary>The control plane is gRPC, not just our own client's: Python's grpcio speaks it from the .proto file alone.</summary>
public sealed class PythonClientTests
{
    [PythonFact]
    public async Task A_python_client_makes_watches_and_removes()
    {
        await using var process = await SwitchProcess.StartNewAsync();
        string directory = Path.Combine(AppContext.BaseDirectory, "Clients");
        string descriptors = Path.Combine(process.Directory, "control.pb");
        await File.WriteAllBytesAsync(descriptors, new FileDescriptorSet { File = { WithDependencies(ControlReflection.Descriptor) } }.ToByteArray());
        string output = await Command.MustAsync(
            PythonFactAttribute.Python, [Path.Combine(directory, "client.py"), descriptors, process.Endpoint]);
        Assert.Equal("all well", output);
    }

    /// <summary>As grpcurl and Kubernetes' probes do, whose services have no file of ours either.</summary>
    [PythonFact]
    public async Task A_python_client_learns_all_by_reflection_and_asks_the_health()
    {
        await using var process = await SwitchProcess.StartNewAsync();
        string output = await Command.MustAsync(
            PythonFactAttribute.Python, [Path.Combine(AppContext.BaseDirectory, "Clients", "reflect.py"), process.Endpoint]);
        Assert.Equal("all well", output);
    }

    private static IEnumerable<FileDescriptorProto> WithDependencies(FileDescriptor file) =>
        file.Dependencies.SelectMany(WithDependencies).Append(file.ToProto()).DistinctBy(f => f.Name);
}
