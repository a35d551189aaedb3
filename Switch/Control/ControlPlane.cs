using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace InterGuest.Switch.Control;

/// <summary>The gRPC services of the switch: its own, and the standard ones that tools expect.</summary>
internal static class ControlPlane
{
    private static readonly IReadOnlyList<ServiceDescriptor> Services =
    [
        Protos.V1.Control.Descriptor,
        Protos.Health.V1.Health.Descriptor,
        Protos.Reflection.V1.ServerReflection.Descriptor,
    ];

    public static void Add(IServiceCollection services)
    {
        services.AddSingleton<ControlService>();
        services.AddSingleton(s => new HealthService(
            s.GetRequiredService<Switchboard>(), [.. Services.Select(d => d.FullName)], s.GetRequiredService<IHostApplicationLifetime>()));
        services.AddSingleton(new ReflectionService(Services)).AddSingleton<ReflectionAlphaService>();
        services.AddSingleton(s => Access.Of(s.GetRequiredService<SwitchOptions>()));
        services.AddGrpc(g =>
        {
            g.Interceptors.Add<GuardInterceptor>();
            g.Interceptors.Add<ErrorInterceptor>();
        });
    }

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGrpcService<ControlService>();
        routes.MapGrpcService<HealthService>();
        routes.MapGrpcService<ReflectionService>();
        routes.MapGrpcService<ReflectionAlphaService>();
    }
}
