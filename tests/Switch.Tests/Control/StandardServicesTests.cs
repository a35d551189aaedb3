using Google.Protobuf.Reflection;
using Grpc.Core;
using InterGuest.Protos.Health.V1;
using InterGuest.Protos.Reflection.V1;
using Asked = InterGuest.Protos.Reflection.V1.ServerReflectionRequest.MessageRequestOneofCase;
using ServingStatus = InterGuest.Protos.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace InterGuest.Switch.Tests.Control;

/// <summary>gRPC's health service and server reflection, over a real socket (grpc/doc/health-checking.md and server-reflection.md).</summary>
public sealed class StandardServicesTests : IAsyncLifetime, IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private RunningApplication _switch = null!;

    public async Task InitializeAsync() => _switch = await RunningApplication.StartAsync(RunningApplication.OptionsIn(_directory));

    public async Task DisposeAsync() => await _switch.DisposeAsync();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("interguest.v1.Control")]
    [InlineData("grpc.health.v1.Health")]
    public async Task TheSwitchServes(string service) =>
        Assert.Equal(ServingStatus.Serving, (await Health.CheckAsync(new() { Service = service })).Status);

    [Fact]
    public async Task AServiceThatThereIsNotIsNotFound()
    {
        var error = await Assert.ThrowsAsync<RpcException>(() => Health.CheckAsync(new() { Service = "x.Y" }).ResponseAsync);
        Assert.Equal((StatusCode.NotFound, true), (error.StatusCode, error.Status.Detail.Contains("x.Y", StringComparison.Ordinal)));
        using var watch = Health.Watch(new() { Service = "x.Y" });
        Assert.True(await watch.ResponseStream.MoveNext(default));
        Assert.Equal(ServingStatus.ServiceUnknown, watch.ResponseStream.Current.Status);
    }

    [Fact]
    public async Task AWatchTellsThatTheSwitchEnds()
    {
        using var watch = Health.Watch(new());
        Assert.True(await watch.ResponseStream.MoveNext(default));
        Assert.Equal(ServingStatus.Serving, watch.ResponseStream.Current.Status);
        var stop = _switch.StopAsync();
        Assert.True(await watch.ResponseStream.MoveNext(default));
        Assert.Equal(ServingStatus.NotServing, watch.ResponseStream.Current.Status);
        Assert.False(await watch.ResponseStream.MoveNext(default));
        await stop;
    }

    [Fact]
    public async Task ReflectionListsTheServices()
    {
        var response = await Ask(new() { ListServices = "" });
        Assert.Equal(
            ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "interguest.v1.Control"],
            response.ListServicesResponse.Service.Select(s => s.Name));
    }

    /// <summary>What a tool does: from a name to files that are whole in themselves.</summary>
    [Theory]
    [InlineData(Asked.FileContainingSymbol, "interguest.v1.Control")]
    [InlineData(Asked.FileContainingSymbol, "interguest.v1.Control.GetStatus")]
    [InlineData(Asked.FileContainingSymbol, "interguest.v1.Port")]
    [InlineData(Asked.FileContainingSymbol, "interguest.v1.Port.name")]
    [InlineData(Asked.FileContainingSymbol, "interguest.v1.PortState")]
    [InlineData(Asked.FileByFilename, "interguest/v1/control.proto")]
    public async Task ReflectionGivesFilesWithAllTheyImport(Asked what, string name)
    {
        var response = await Ask(what == Asked.FileByFilename ? new() { FileByFilename = name } : new() { FileContainingSymbol = name });
        var bytes = response.FileDescriptorResponse.FileDescriptorProto;
        Assert.Equal("interguest/v1/control.proto", FileDescriptorProto.Parser.ParseFrom(bytes[0]).Name);
        // A file may stand only behind those it imports; that it builds shows that none is missing.
        var built = FileDescriptor.BuildFromByteStrings(bytes.Reverse());
        Assert.Contains(built[^1].Services, s => s.FullName == "interguest.v1.Control");
    }

    [Fact]
    public async Task WhatThereIsNotIsAnErrorInTheStreamWhichGoesOn()
    {
        using var call = Reflection.ServerReflectionInfo();
        foreach (ServerReflectionRequest request in new ServerReflectionRequest[]
            { new() { FileContainingSymbol = "no.Such" }, new() { FileByFilename = "no.proto" }, new() { AllExtensionNumbersOfType = "no.Such" }, new() { FileContainingExtension = new() } })
        {
            await call.RequestStream.WriteAsync(request);
            Assert.True(await call.ResponseStream.MoveNext(default));
            Assert.Equal((int)StatusCode.NotFound, call.ResponseStream.Current.ErrorResponse.ErrorCode);
            Assert.Equal(request, call.ResponseStream.Current.OriginalRequest);
        }
        await call.RequestStream.WriteAsync(new());
        Assert.True(await call.ResponseStream.MoveNext(default));
        Assert.Equal((int)StatusCode.InvalidArgument, call.ResponseStream.Current.ErrorResponse.ErrorCode);
        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext(default));
    }

    private Health.HealthClient Health => new(_switch.Channel);

    private ServerReflection.ServerReflectionClient Reflection => new(_switch.Channel);

    private async Task<ServerReflectionResponse> Ask(ServerReflectionRequest request)
    {
        using var call = Reflection.ServerReflectionInfo();
        await call.RequestStream.WriteAsync(request);
        await call.RequestStream.CompleteAsync();
        Assert.True(await call.ResponseStream.MoveNext(default));
        return call.ResponseStream.Current;
    }
}
