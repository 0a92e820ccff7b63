/** Starts the flow page. */
import "uplot/dist/uPlot.min.css";
import { mount } from "svelte";
import App from "./App.svelte";

mount(App, { target: document.body });
