using System.Reflection;

namespace InterGuest.Switch;

/// <summary>What this program is.</summary>
internal static class Product
{
    /// <summary>Its version, e.g. 0.1.0.</summary>
    public static string Version { get; } =
        typeof(Product).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];
}
