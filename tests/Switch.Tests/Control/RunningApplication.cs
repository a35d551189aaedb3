using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Client = InterGuest.Protos.V1.Control.ControlClient;

namespace InterGuest.Switch.Tests.Control;

/// <summary>The whole service in this process, on a Unix socket, and a client of it.</summary>
internal sealed class RunningApplication : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource<IServiceProvider> _services = new();
    private readonly Task _run;
    private readonly GrpcChannel _channel;

    private RunningApplication(SwitchOptions options)
    {
        Options = options;
        _run = SwitchApplication.RunAsync(options, _stop.Token, _services.SetResult);
        _channel = Connect(options.ControlSocket!);
        Client = new Client(_channel);
    }

    public SwitchOptions Options { get; }

    public Client Client { get; }

    public GrpcChannel Channel => _channel;

    /// <summary>Its parts, once it runs.</summary>
    public Task<IServiceProvider> Services => Wait.ForAsync(_services.Task, "the switch runs");

    public static SwitchOptions OptionsIn(TemporaryDirectory directory) => new()
    {
        ControlSocket = directory.At("control.sock"),
        SocketDirectory = directory.At("ports"),
        StateDirectory = directory.At("state"),
        EventLoops = 1,
    };

    /// <summary>Returns when it listens everywhere: it answers on its Unix socket before it does so over TCP.</summary>
    public static async Task<RunningApplication> StartAsync(SwitchOptions options)
    {
        var application = new RunningApplication(options);
        await await Wait.ForAsync(Task.WhenAny(application._run, application._services.Task), "the switch runs");
        return application;
    }

    public static GrpcChannel Connect(string path) => GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancel) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancel);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        },
    });

    /// <summary>Returns when a switch answers; fails if what runs it ends before.</summary>
    public static async Task AnsweringAsync(Client client, Task running)
    {
        using var patience = new CancellationTokenSource(Testing.TestGuest.Patience);
        while (true)
        {
            try
            {
                await client.GetStatusAsync(new(), cancellationToken: patience.Token);
                return;
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.Unavailable)
            {
                if (running.IsCompleted)
                    await running;
                Assert.False(running.IsCompleted, "the switch has ended");
                await Task.Delay(5, patience.Token);
            }
        }
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await Wait.ForAsync(_run, "the switch ends");
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _channel.Dispose();
        _stop.Dispose();
    }
}
