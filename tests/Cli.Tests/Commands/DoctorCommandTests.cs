using InterGuest.Cli.Tests.Fakes;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Tests.Commands;

public class DoctorCommandTests : SwitchTest
{
    [Fact]
    public async Task FindingsAreShownByWhatTheyAreAbout()
    {
        Control.Diagnosis = new Diagnosis
        {
            Findings =
            {
                new Finding { Severity = Severity.Problem, Code = "waiting", Subject = "link l", Text = "it waits: port b is listening", Remedy = "see below" },
                new Finding { Severity = Severity.Good, Code = "running", Subject = "port a", Text = "its guest runs" },
                new Finding { Severity = Severity.Warning, Code = "drops", Subject = "port a", Text = "3 frames were dropped" },
            },
        };
        CliRun cli = Cli();
        Assert.Equal(3, await cli.RunAsync("doctor", "l"));
        Assert.Equal("", cli.Error.ToString());
        Assert.Equal(
            """
            link l
              problem  it waits: port b is listening
                       -> see below
            port a
              good     its guest runs
              warning  3 frames were dropped

            """, cli.Out.ToString());
        Assert.Equal("l", Control.OnlyRequest<DiagnoseRequest>().Name);
    }

    [Fact]
    public async Task WhatWorksIsSuccess()
    {
        Control.Diagnosis = new Diagnosis { Works = true, Findings = { new Finding { Severity = Severity.Good, Subject = "port a", Code = "running", Text = "well" } } };
        Assert.Contains("good  well", await Cli().OutputAsync("doctor"), StringComparison.Ordinal);
        Assert.Equal("", Control.OnlyRequest<DiagnoseRequest>().Name);
    }

    [Fact]
    public async Task JsonIsTheMessageAndTheExitCodeIsTheSame()
    {
        Control.Diagnosis = new Diagnosis { Findings = { new Finding { Severity = Severity.Problem, Code = "no_driver", Subject = "port a" } } };
        CliRun cli = Cli();
        Assert.Equal(3, await cli.RunAsync("doctor", "a", "--json"));
        using var json = System.Text.Json.JsonDocument.Parse(cli.Out.ToString());
        Assert.False(json.RootElement.GetProperty("works").GetBoolean());
        Assert.Equal("no_driver", json.RootElement.GetProperty("findings")[0].GetProperty("code").GetString());
    }

    [Fact]
    public async Task NothingThereIsSaid() =>
        Assert.Equal("There are no ports or links. Add a port: interguest port add NAME\n", await RunEmptyAsync());

    private Task<string> RunEmptyAsync()
    {
        Control.Diagnosis = new Diagnosis { Works = true };
        return Cli().OutputAsync("doctor");
    }
}
