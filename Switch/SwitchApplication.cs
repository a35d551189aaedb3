using System.Net;
using System.Net.Sockets;
using InterGuest.Switch.Control;
using InterGuest.Switch.DataPath;
using InterGuest.Switch.Metrics;
using InterGuest.Switch.Ports;
using InterGuest.Switch.Web;
using InterGuest.Virtio.Native;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace InterGuest.Switch;

/// <summary>Puts the parts together and runs them.</summary>
internal static partial class SwitchApplication
{
    /// <summary>Runs until it is told to end.</summary>
    /// <exception cref="SwitchException">It cannot start.</exception>
    /// <param name="options">How.</param>
    /// <param name="cancel">Ends it.</param>
    /// <param name="ready">Told of its parts once they run: for tests, which let the system choose ports.</param>
    public static async Task RunAsync(SwitchOptions options, CancellationToken cancel, Action<IServiceProvider>? ready = null)
    {
        using var notifier = ServiceNotifier.Open(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"));
        using var inherited = InheritedDescriptors.FromEnvironment();
        using var control = inherited.Take("control");
        if (control == null)
            PrepareControlSocket(options);
        var app = Build(options, notifier, inherited, control);
        await using (app)
        {
            await StartAsync(app, options, cancel);
            var logger = app.Services.GetRequiredService<ILogger<SwitchHost>>();
            LogReady(logger, Product.Version, string.Join(" and ", Endpoints(options)));
            ready?.Invoke(app.Services);
            if (options.WarmsUp)
                WarmUp.Begin(FaultLog(app.Services), app.Lifetime.ApplicationStopping);
            await app.WaitForShutdownAsync(cancel);
        }
    }

    private static WebApplication Build(SwitchOptions options, ServiceNotifier? notifier, InheritedDescriptors inherited, FileDescriptor? control)
    {
        // Empty: neither files in the working directory nor the environment have a say in where we listen.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddSimpleConsole(c =>
        {
            c.SingleLine = true;
            c.TimestampFormat = "HH:mm:ss.fff ";
        });
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning).AddFilter("Grpc", LogLevel.Warning);
        // What keeps the host from starting is told by whoever started it, once.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(k => Listen(k, options, control));
        builder.Services.AddSingleton(options).AddSingleton(TimeProvider.System).AddSingleton<EventHub>();
        builder.Services.AddSingleton(new StateStore(options.StateDirectory));
        builder.Services.AddSingleton(s => new Switchboard(options, s.GetRequiredService<TimeProvider>(), FaultLog(s))
        {
            Sockets = new SocketKeeper(options.KeepSockets ? notifier : null, inherited),
        });
        // Before the host, to see the first port made.
        builder.Services.AddSingleton<SwitchView>().AddSingleton<SwitchMeter>().AddHostedService<MetricsHost>();
        builder.Services.AddHostedService<SwitchHost>();
        // They end in the other order: those who look have gone before what they look at.
        builder.Services.AddSingleton<SwitchPage>().AddSingleton<ObservationHost>().AddHostedService(s => s.GetRequiredService<ObservationHost>());
        builder.Services.AddHostedService<TopologyAtStart>();
        builder.Services.AddHostedService(s => new ServiceManager(
            notifier, s.GetRequiredService<Switchboard>(), s.GetRequiredService<IHostApplicationLifetime>(), s.GetRequiredService<TimeProvider>()));
        ControlPlane.Add(builder.Services);
        var app = builder.Build();
        ControlPlane.Map(app);
        return app;
    }

    /// <summary>Logs faults of ours, from any thread. One that comes again and again must not fill a disk.</summary>
    private static Action<Exception> FaultLog(IServiceProvider services)
    {
        var logger = services.GetRequiredService<ILogger<Switchboard>>();
        var budget = new LogBudget(services.GetRequiredService<TimeProvider>());
        return e =>
        {
            lock (budget)
            {
                if (budget.TrySpend(out _))
                    LogFault(logger, e);
            }
        };
    }

    private static void Listen(KestrelServerOptions kestrel, SwitchOptions options, FileDescriptor? control)
    {
        if (control != null)
            kestrel.ListenHandle((ulong)control.DangerousGetHandle(), o => o.Protocols = HttpProtocols.Http2);
        else if (options.ControlSocket is { } socket)
            kestrel.ListenUnixSocket(socket, o => o.Protocols = HttpProtocols.Http2);
        if (options.ControlTcp is not { } tcp)
            return;
        void Configure(ListenOptions listen)
        {
            listen.Protocols = HttpProtocols.Http2;
            if (options.Tls is { } files)
                listen.UseHttps(https => ControlTls.Configure(https, files));
        }
        if (IPAddress.TryParse(tcp.Host.Trim('[', ']'), out var address))
            kestrel.Listen(address, tcp.Port, Configure);
        else
            kestrel.ListenLocalhost(tcp.Port, Configure);
    }

    private static async Task StartAsync(WebApplication app, SwitchOptions options, CancellationToken cancel)
    {
        try
        {
            await app.StartAsync(cancel);
        }
        catch (Exception e) when (e is IOException or SocketException or UnauthorizedAccessException)
        {
            throw new SwitchException(SwitchError.Precondition, $"the control plane cannot listen on {string.Join(" and ", Endpoints(options))}: {e.Message}");
        }
        if (options.ControlSocket is { } socket && File.Exists(socket))
            SetControlAccess(socket, options.ControlAccess);
    }

    private static void SetControlAccess(string socket, SocketAccess access)
    {
        try
        {
            SocketFile.SetAccess(socket, access.UserId, access.GroupId, access.Mode);
        }
        catch (NativeException e)
        {
            throw new SwitchException(
                SwitchError.Precondition, $"the control socket {socket} cannot be given to group '{access.Group}' ({e.Reason}): only root, or a member of that group, may");
        }
    }

    /// <summary>Makes the socket's directory, and takes away what a switch that was killed left there.</summary>
    private static void PrepareControlSocket(SwitchOptions options)
    {
        if (options.ControlSocket is not { } socket)
            return;
        string directory = Path.GetDirectoryName(socket)!;
        try
        {
            Directory.CreateDirectory(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SwitchException(SwitchError.Precondition, $"the directory {directory} of the control socket cannot be made: {e.Message} Give another place with --control unix:PATH");
        }
        if (!UnixSocket.RemoveStale(socket))
            throw new SwitchException(SwitchError.Precondition, $"the control socket {socket} is in use: a switch runs already, or the file is something else. Give another place with --control unix:PATH");
    }

    private static IEnumerable<string> Endpoints(SwitchOptions options)
    {
        if (options.ControlSocket is { } socket)
            yield return $"unix:{socket}";
        if (options.ControlTcp is { } tcp)
            yield return tcp.ToString().TrimEnd('/');
    }

    [LoggerMessage(LogLevel.Information, "interguest-switch {Version} is ready; control plane on {Endpoints}")]
    private static partial void LogReady(ILogger logger, string version, string endpoints);

    [LoggerMessage(LogLevel.Error, "a fault of the switch itself")]
    private static partial void LogFault(ILogger logger, Exception exception);
}
