using System.Text.Json;

namespace InterGuest.Switch.Tests.Service;

/// <summary>What the runtime is told, of which nothing is seen if it is misspelt: the web SDK's own settings hold then.</summary>
public class RuntimeSettingsTests
{
    [Theory]
    [InlineData("System.GC.Server", "False")] // its collections stop the data path for longer
    [InlineData("System.GC.Concurrent", "True")]
    [InlineData("System.Runtime.TieredPGO", "False")]
    [InlineData("System.Runtime.TieredCompilation.CallCountingDelayMs", "0")]
    public void TheSwitchIsStartedWith(string setting, string value)
    {
        using var file = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "interguest-switch.runtimeconfig.json")));
        var settings = file.RootElement.GetProperty("runtimeOptions").GetProperty("configProperties");
        Assert.Equal(value, settings.GetProperty(setting).ToString());
    }
}
